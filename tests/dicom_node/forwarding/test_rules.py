import pytest

from dicom_node.archive.tables import WRITTEN_HERE
from dicom_node.directory import remove_peer
from dicom_node.forwarding import queue
from dicom_node.forwarding.rules import Rule, add_rule, remove_rule, rules
from telemed.kernel.audit import audit_table
from telemed.kernel.errors import Conflict, Invalid, NotFound
from telemed.kernel.events import events_of


def test_objects_go_where_institution_and_modality_say(node):
    for port, title in enumerate(("ALL", "CTONLY", "HEHUA", "NONE"), start=1):
        node.peer(title, port)
    node.put("1.0")  # before there was any rule
    node.rule("ALL")
    node.rule("CTONLY", modality="CT")
    node.rule("HEHUA", institution="hehua")
    node.put("1.1")
    node.put("1.2", modality="MR", study="2")
    node.put("1.3", institution="hehua", study="3")
    node.worker.take()
    waiting = {title: node.destination(title).waiting for title in ("ALL", "CTONLY", "HEHUA", "NONE")}
    assert waiting == {"ALL": 3, "CTONLY": 2, "HEHUA": 1, "NONE": 0}


def test_a_rule_for_reports_takes_what_was_written_here_and_nothing_else(node):
    node.peer("CLINIC", 1, institution="lianhua")
    reports = Rule("CLINIC", "lianhua", reports=True)
    with node.database.transaction() as db:
        add_rule(db, node.chronicle, reports, actor="test")
    node.put("1.1")
    node.put("1.2", source=WRITTEN_HERE, modality="SR", study="2")
    node.put("1.3", source=WRITTEN_HERE, modality="SR", study="3", institution="hehua")
    node.worker.take()
    assert node.destination("CLINIC").waiting == 1
    assert node.destination("CLINIC").rules == (reports,)
    with node.database.reading() as db:
        told = [event.data for uid in ("1", "2", "3") for event in events_of(db, uid) if event.type == "ForwardingQueued"]
    assert [(one["study_instance_uid"], one["destination"]) for one in told] == [("2", "CLINIC")]
    with node.database.transaction() as db:
        add_rule(db, node.chronicle, Rule("CLINIC", "lianhua"), actor="test")
        remove_rule(db, node.chronicle, reports, actor="test")
        assert rules(db) == [Rule("CLINIC", "lianhua")]


def test_nobody_is_sent_what_it_has_sent_us(node):
    node.forward_to("DEST", 1)
    node.put("1.1", source="DEST")
    node.put("1.2", source="CT1")
    node.worker.take()
    assert node.destination().waiting == 1


def test_a_rule_names_a_peer_that_may_have_the_objects_and_is_there_once(node):
    node.peer("DEST", 1)
    node.peer("OWN", 2, institution="hehua")
    node.rule("DEST", "lianhua", "CT")
    with node.database.transaction() as db:
        for wrong, kind in ((Rule("NOBODY"), NotFound), (Rule("OWN"), Invalid), (Rule("DEST", "lianhua", "CT"), Conflict)):
            with pytest.raises(kind):
                add_rule(db, node.chronicle, wrong, actor="test")
        add_rule(db, node.chronicle, Rule("OWN", "hehua"), actor="test")
        assert rules(db) == [Rule("DEST", "lianhua", "CT"), Rule("OWN", "hehua")]


def test_a_peer_stays_while_anything_is_forwarded_to_it(node):
    node.forward_to("DEST", 1)
    node.put("1.1")
    node.worker.take()
    with node.database.transaction() as db:
        with pytest.raises(Conflict, match="rules"):
            remove_peer(db, node.chronicle, "DEST", actor="test")
        remove_rule(db, node.chronicle, Rule("DEST"), actor="test")
        with pytest.raises(Conflict, match="queue"):
            remove_peer(db, node.chronicle, "DEST", actor="test")
        assert queue.cancel(db, node.chronicle, "DEST", actor="test") == 1
        remove_peer(db, node.chronicle, "DEST", actor="test")
        with pytest.raises(NotFound):
            remove_rule(db, node.chronicle, Rule("DEST"), actor="test")
        done = db.execute(audit_table.select().order_by(audit_table.c.sequence)).all()
    told = [row.action for row in done if row.action.startswith("Forwarding")]
    assert told == ["ForwardingRuleAdded", "ForwardingRuleRemoved", "ForwardingCancelled"]
