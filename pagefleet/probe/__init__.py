"""The probe: from a URL alone to a crawl, by hypotheses that are tested with requests. It never guesses in silence.

words.py params.py                      what real APIs call things
observation.py envelope.py elements.py  one answer taken apart: JSON, XML and HTML
observe.py                              the same for any response
pointers.py totals.py hints.py          hypotheses: the next page, the total, parameters that count
sameness.py                             are two pages the same, new or mixed
case.py asking.py trial.py              what is probed, few requests, and a crawl put to the test
pointing.py cursors.py                  links and cursors that are tried, and how these end
counting.py ends.py keysets.py          parameters that are found out by asking
doubts.py confirm.py inquiry.py         what speaks against it, and the course of it all
finding.py report.py                    what was found out, and how it is told
drive.py                                the I/O
"""

from pagefleet.probe.drive import probe
from pagefleet.probe.finding import Confidence, Finding, Guess, Probed
from pagefleet.probe.inquiry import inquire

__all__ = ["Confidence", "Finding", "Guess", "Probed", "inquire", "probe"]
