"""Tests of the tests: each that is about a patch fails without it, and there is one for every patch."""

import io
import unittest

from .case import Case, tell


def tests(suite):
    """All tests in a suite."""
    for one in suite:
        if isinstance(one, unittest.TestSuite):
            yield from tests(one)
        else:
            yield one


class Patches(unittest.TestCase):
    def test_each_test_fails_without_its_patch(self):
        loader = unittest.TestLoader()
        tested = set()
        for module in ("network", "instances", "storage", "balancers", "scaling", "dns", "machines"):
            for test in tests(loader.loadTestsFromName(f"{__package__}.test_{module}")):
                name = getattr(getattr(test, test._testMethodName), "patch", None)
                if name is None:
                    continue
                tested.add(name)
                test.without = [name]
                result = unittest.TextTestRunner(stream=io.StringIO()).run(test)
                with self.subTest(test.id(), patch=name):
                    self.assertFalse(result.wasSuccessful(), f"it passes without {name}")
        self.assertEqual(tested, set(tell("GET", "settings")["patches"]))
        tell("POST", "settings", {"without": Case.without})
