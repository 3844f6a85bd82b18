import os
import subprocess
import sys


def test_delta4_kernel_compiled_for_sm_90_takes_at_most_9_instructions_a_position() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, "-m", "tests.sslc.runtime.count_instructions"]
    outcome = subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, timeout=120
    )
    assert outcome.returncode == 0, outcome.stderr
    spills, barriers, per_entry = outcome.stdout.split()[-3:]
    assert (spills, barriers) == ("0", "0")
    # At 50% a row of 4,096 has 2,048 entries; filled-in zeros and padding add less than 1%.
    assert 0.5 * 1.01 * float(per_entry) <= 9
