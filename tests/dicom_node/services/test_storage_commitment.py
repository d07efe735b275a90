import threading
import time
from datetime import timedelta

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom import AE, evt
from pynetdicom.presentation import build_context
from sqlalchemy import select
from support.server import until

from dicom_node.archive import index
from dicom_node.archive.settling import Settling
from dicom_node.services.commitment_request import PUSH_MODEL, PUSH_MODEL_INSTANCE
from dicom_node.services.storage_commitment import MOST_TRIES, Reporting
from dicom_node.tables import commitment_table
from telemed.kernel.events import events_of

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"


class Modality:
    """A storage commitment SCU that keeps what it is told."""

    def __init__(self):
        self.told = []
        self.news = threading.Event()

    def report(self, event):
        self.told.append((event.event_type, event.event_information))
        self.news.set()
        return 0x0000, None

    def ask(self, node, *references, stays=True, seconds=5, transaction="9.9"):
        """Ask, and return the status; *stays* keeps the association until the report has come."""
        information = Dataset()
        information.TransactionUID = transaction
        information.ReferencedSOPSequence = Sequence(map(referenced, references))
        association = AE("CT1").associate(
            *node.address,
            contexts=[build_context(PUSH_MODEL)],
            ae_title="TELEMED",
            evt_handlers=[(evt.EVT_N_EVENT_REPORT, self.report)],
        )
        status, _ = association.send_n_action(information, 1, PUSH_MODEL, PUSH_MODEL_INSTANCE)
        if stays:
            self.news.wait(seconds)
            time.sleep(0.2)  # our answer to the report is still on its way
        association.release()
        return status.Status

    def listen(self, **roles):
        ae = AE("CT1")
        ae.add_supported_context(PUSH_MODEL, **roles)
        return ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, self.report)])


def referenced(reference):
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = reference
    return item


def waiting(database):
    with database.reading() as db:
        return db.execute(select(commitment_table)).all()


@pytest.fixture
def modality():
    return Modality()


def test_a_modality_that_waits_is_told_on_the_same_association(put, node, modality, database):
    put("1.1", study="1")
    put("1.2", study="1")
    assert modality.ask(node, (CT_IMAGE, "1.1"), (CT_IMAGE, "1.2")) == 0
    [(event_type, information)] = modality.told
    assert (event_type, information.TransactionUID, information.RetrieveAETitle) == (1, "9.9", "TELEMED")
    assert [item.ReferencedSOPInstanceUID for item in information.ReferencedSOPSequence] == ["1.1", "1.2"]
    assert waiting(database) == []
    with database.reading() as db:
        [told] = events_of(db, "9.9")
    assert (told.type, told.data["committed"], told.data["failed"]) == ("CommitmentReported", 2, 0)


def test_what_was_never_received_or_is_somebody_elses_or_damaged_is_not_committed_to(put, node, modality, archive):
    for number in range(3):
        put(f"1.{number}", study="1")
    put("2.1", institution="hehua", study="2", series="2.2")
    with archive.file("lianhua", "1.1").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\xff")
    mr_image = "1.2.840.10008.5.1.4.1.1.4"
    modality.ask(node, (CT_IMAGE, "1.0"), (CT_IMAGE, "1.1"), (mr_image, "1.2"), (CT_IMAGE, "2.1"), (CT_IMAGE, "9"))
    [(event_type, information)] = modality.told
    assert event_type == 2
    assert [item.ReferencedSOPInstanceUID for item in information.ReferencedSOPSequence] == ["1.0"]
    reasons = {item.ReferencedSOPInstanceUID: item.FailureReason for item in information.FailedSOPSequence}
    assert reasons == {"1.1": 0x0110, "1.2": 0x0119, "2.1": 0x0112, "9": 0x0112}


def test_what_is_filed_a_moment_later_is_waited_for(put, node, modality):
    later = threading.Timer(0.5, put, ("1.1",), {"study": "1"})
    later.start()
    modality.ask(node, (CT_IMAGE, "1.1"))
    later.join()
    [(event_type, _)] = modality.told
    assert event_type == 1


def test_a_modality_that_leaves_is_called_back(put, node, modality, known, commitments):
    put("1.1", study="1")
    server = modality.listen(scu_role=False, scp_role=True)
    known("CT1", server.server_address[1], institution="lianhua")
    assert modality.ask(node, (CT_IMAGE, "1.1"), stays=False) == 0
    worker = Reporting(commitments, look_every_s=0.05)
    worker.start()
    assert modality.news.wait(10)
    worker.stop()
    server.shutdown()
    [(event_type, _)] = modality.told
    assert event_type == 1
    assert waiting(commitments._database) == []


def test_a_modality_that_leaves_the_role_unanswered_is_called_back(put, node, modality, known, commitments):
    put("1.1")
    server = modality.listen()
    known("CT1", server.server_address[1], "lianhua")
    assert modality.ask(node, (CT_IMAGE, "1.1"), stays=False) == 0
    until(Reporting(commitments).report_due, 10)
    server.shutdown()
    [(event_type, _)] = modality.told
    assert event_type == 1


def test_a_modality_that_waits_is_told_of_however_many_it_named(put, node, modality, database):
    put("1.1")
    assert modality.ask(node, (CT_IMAGE, "1.1"), *((CT_IMAGE, f"2.{number}") for number in range(600)), seconds=15) == 0
    [(event_type, information)] = modality.told
    assert (event_type, len(information.ReferencedSOPSequence), len(information.FailedSOPSequence)) == (2, 1, 600)
    assert waiting(database) == []


def test_a_modality_that_is_away_is_tried_again_with_growing_pauses_and_not_for_ever(node, modality, known, commitments, clock):
    database = commitments._database
    known("CT1", 1)
    modality.ask(node, (CT_IMAGE, "1.1"), stays=False)
    worker, pauses = Reporting(commitments), []
    for _ in range(MOST_TRIES):
        assert worker.report_due() == 0
        [row] = waiting(database)
        pauses.append(row.try_at - clock.now())
        clock.at = row.try_at
    assert pauses[0] < pauses[1] < pauses[2]
    assert max(pauses) == timedelta(hours=1)
    worker.report_due()
    assert waiting(database) == []


def test_a_request_that_names_nothing_is_refused(node, modality, database):
    assert modality.ask(node, stays=False) == 0x0115
    assert waiting(database) == []


def test_a_study_of_which_everything_was_committed_to_is_complete(put, node, modality, chronicle, database):
    for study in ("1", "2"):
        for number in (1, 2):
            put(f"{study}.{number}", study=study, series=f"{study}.9")
    modality.ask(node, (CT_IMAGE, "1.1"), (CT_IMAGE, "1.2"), (CT_IMAGE, "2.1"))
    chronicle.clock.pass_(seconds=3)
    assert Settling(database, chronicle).settle() == 2
    with database.reading() as db:
        assert [index.study(db, "lianhua", study).proof for study in ("1", "2")] == ["commitment", "quiet"]
