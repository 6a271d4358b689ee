"""The programs by which the standard's documentation explains executors for processes, with a Pool in their place."""

from __future__ import annotations

import pytest

from tests.stage import python

pytestmark = pytest.mark.requirement("B1")

PRIMES = """
import concurrent.futures
import math

PRIMES = [
    112272535095293,
    112582705942171,
    112272535095293,
    115280095190773,
    115797848077099,
    1099726899285419]

def is_prime(n):
    if n < 2:
        return False
    if n == 2:
        return True
    if n % 2 == 0:
        return False

    sqrt_n = int(math.floor(math.sqrt(n)))
    for i in range(3, sqrt_n + 1, 2):
        if n % i == 0:
            return False
    return True

def main():
    with concurrent.futures.ProcessPoolExecutor() as executor:
        for number, prime in zip(PRIMES, executor.map(is_prime, PRIMES)):
            print('%d is prime: %s' % (number, prime))

if __name__ == '__main__':
    main()
"""
POW = """
import concurrent.futures

if __name__ == '__main__':
    with concurrent.futures.ProcessPoolExecutor(max_workers=1) as executor:
        future = executor.submit(pow, 323, 1235)
        print(future.result())
"""
COPIES = """
import concurrent.futures
import shutil
with concurrent.futures.ProcessPoolExecutor(max_workers=4) as e:
    e.submit(shutil.copy, 'src1.txt', 'dest1.txt')
    e.submit(shutil.copy, 'src2.txt', 'dest2.txt')
    e.submit(shutil.copy, 'src3.txt', 'dest3.txt')
    e.submit(shutil.copy, 'src4.txt', 'dest4.txt')
"""
LOOP = """
import asyncio
import concurrent.futures

def cpu_bound():
    # CPU-bound operations will block the event loop:
    # in general it is preferable to run them in a
    # process pool.
    return sum(i * i for i in range(10 ** 6))

async def main():
    loop = asyncio.get_running_loop()

    with concurrent.futures.ProcessPoolExecutor() as pool:
        result = await loop.run_in_executor(
            pool, cpu_bound)
        print('custom process pool', result)

if __name__ == '__main__':
    asyncio.run(main())
"""
COMPLETED = """
import concurrent.futures

def load(number, timeout):
    if number == 3:
        raise ConnectionError('nobody is there')
    return b'.' * number

def main():
    # We can use a with statement to ensure workers are cleaned up promptly
    with concurrent.futures.ProcessPoolExecutor(max_workers=5) as executor:
        # Start the load operations and mark each future with its number
        future_to_number = {executor.submit(load, number, 60): number for number in range(5)}
        told = []
        for future in concurrent.futures.as_completed(future_to_number):
            number = future_to_number[future]
            try:
                data = future.result()
            except Exception as exc:
                told.append('%r generated an exception: %s' % (number, exc))
            else:
                told.append('%r page is %d bytes' % (number, len(data)))
        print(*sorted(told), sep='\\n')
        done, not_done = concurrent.futures.wait(future_to_number)
        print(len(done), len(not_done))

if __name__ == '__main__':
    main()
"""


def ours(program: str) -> str:
    """The same program with our name in it: nothing else is changed."""
    assert program.count("concurrent.futures.ProcessPoolExecutor(") == 1
    return "import understudy\n" + program.replace("concurrent.futures.ProcessPoolExecutor(", "understudy.Pool(")


@pytest.mark.parametrize(
    "program", [PRIMES, POW, LOOP, COMPLETED], ids=["primes", "pow", "run_in_executor", "as_completed"]
)
def test_the_program_prints_what_it_prints_with_the_standards_executor(tmp_path, program):
    (tmp_path / "theirs.py").write_text(program)
    (tmp_path / "ours.py").write_text(ours(program))
    printed = [python(script, cwd=tmp_path) for script in ("theirs.py", "ours.py")]
    assert [(done.returncode, done.stderr) for done in printed] == [(0, "")] * 2
    assert printed[0].stdout == printed[1].stdout != ""


def test_files_are_copied_when_the_block_is_left(tmp_path):
    for number in range(1, 5):
        (tmp_path / f"src{number}.txt").write_text(f"{number}\n")
    done = python("-c", ours(COPIES), cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [(tmp_path / f"dest{number}.txt").read_text() for number in range(1, 5)] == ["1\n", "2\n", "3\n", "4\n"]
