"""``smb``, ``dcerpc``, ``krb5``, ``rdp``, ``ldap``: what goes between Windows machines, mostly."""

from __future__ import annotations

from threathunting.records import Record
from threathunting.sensors.eve.values import Converted, Event, child, first, objects, put, text, texts, whole

SUCCESS = "STATUS_SUCCESS"

_NO_NAME = frozenset({"<share_root>", "<unknown>", "<empty>"})
"""What Suricata writes where there is no name."""


def smb(event: Event, base: Record) -> Converted:
    """Convert an smb event: one SMB command may give smb_files, smb_mapping, ntlm, kerberos or dce_rpc."""
    told = child(event, "smb")
    command = text(told, "command") or ""
    status = text(told, "status")
    named = _smb_file(told, command)
    if named:
        put(named, size=whole(told, "size"), path=_name(told, "share"))
        yield "smb_files", base | named
    if (tree := _name(told, "share") or text(told, "named_pipe")) is not None and "TREE_CONNECT" in command:
        mapping = dict(base)
        put(
            mapping,
            path=tree,
            service=text(child(told, "service"), "response") or text(child(told, "service"), "request"),
            share_type="PIPE" if text(told, "named_pipe") else text(told, "share_type"),
        )
        yield "smb_mapping", mapping
    if login := child(told, "ntlmssp"):
        ntlm = dict(base)
        put(
            ntlm,
            username=_name(login, "user"),
            hostname=_name(login, "host"),
            domainname=_name(login, "domain"),
            success=None if status is None else status == SUCCESS,
        )
        yield "ntlm", ntlm
    if ticket := child(told, "kerberos"):
        kerberos = dict(base)
        put(
            kerberos,
            request_type="AP",
            service="/".join(texts(ticket, "snames")),
            realm=_name(ticket, "realm"),
        )
        yield "kerberos", kerberos
    if call := child(told, "dcerpc"):
        yield from _rpc(call, base, text(told, "named_pipe"))


def _smb_file(told: Event, command: str) -> Record:
    """The file that a command names and what is done with it; empty where it names none."""
    record: Record = {}
    renamed = child(told, "rename")
    if renamed:
        put(record, action="SMB::FILE_RENAME", name=_name(renamed, "to"), prev_name=_name(renamed, "from"))
        return record
    name = _name(told, "filename") or _name(told, "directory")
    if name is None:
        return record
    if text(told, "access") == "delete on close":
        action = "SMB::FILE_DELETE"
    elif "READ" in command:
        action = "SMB::FILE_READ"
    elif "WRITE" in command:
        action = "SMB::FILE_WRITE"
    elif "SET_INFO" in command or "SET_PATH" in command or "SET_FILE" in command:
        action = "SMB::FILE_SET_ATTRIBUTE"
    elif "CLOSE" in command:
        action = "SMB::FILE_CLOSE"
    else:
        action = "SMB::FILE_OPEN"
    put(record, action=action, name=name)
    return record


def _name(parent: Event, field: str) -> str | None:
    value = text(parent, field)
    return None if value in _NO_NAME else value


def dcerpc(event: Event, base: Record) -> Converted:
    """Convert a dcerpc event: dce_rpc.log."""
    yield from _rpc(child(event, "dcerpc"), base, None)


def _rpc(call: Event, base: Record, pipe: str | None) -> Converted:
    """A call by its interface's UUID and its number: the names that Zeek knows for them aren't in EVE."""
    record = dict(base)
    number = whole(call, "opnum")
    put(
        record,
        named_pipe=pipe,
        endpoint=next((uuid for one in objects(call, "interfaces") if (uuid := text(one, "uuid"))), None),
        operation=None if number is None else f"opnum {number}",
    )
    yield "dce_rpc", record


def krb5(event: Event, base: Record) -> Converted:
    """Convert a krb5 event: kerberos.log. It tells of answers only."""
    told = child(event, "krb5")
    kind = text(told, "msg_type") or ""
    asked = text(told, "failed_request") or kind
    client, realm = _name(told, "cname"), _name(told, "realm")
    put(
        base,
        request_type=next((name for name in ("AS", "TGS", "AP") if f"_{name}_" in asked), None),
        client=f"{client}/{realm}" if client and realm else client,
        service=_name(told, "sname"),
        success=kind != "KRB_ERROR" if kind else None,
        error_msg=text(told, "error_code"),
        cipher=_name(told, "encryption"),
    )
    yield "kerberos", base


def rdp(event: Event, base: Record) -> Converted:
    """Convert an rdp event: one step of a connection's set-up, each with its part of rdp.log."""
    told = child(event, "rdp")
    client = child(told, "client")
    put(
        base,
        cookie=text(told, "cookie"),
        result=text(told, "reason"),
        security_protocol=text(told, "protocol"),
        client_channels=texts(told, "channels"),
        keyboard_layout=text(client, "keyboard_layout"),
        client_build=text(client, "build"),
        client_name=text(client, "client_name"),
        client_dig_product_id=text(client, "id"),
        desktop_width=whole(client, "desktop_width"),
        desktop_height=whole(client, "desktop_height"),
    )
    serials = texts(told, "x509_serials")
    put(base, cert_count=len(serials) or None)
    yield "rdp", base


def ldap(event: Event, base: Record) -> Converted:
    """Convert an ldap event: ldap_search.log of a search, else ldap.log."""
    told = child(event, "ldap")
    request = child(told, "request")
    operation = text(request, "operation") or ""
    body = child(request, operation)
    answers = objects(told, "responses")
    done = next((child(answer, text(answer, "operation") or "") for answer in reversed(answers)), {})
    put(
        base,
        message_id=whole(request, "message_id"),
        result=text(done, "result_code"),
        diagnostic_message=text(done, "message"),
    )
    if operation == "search_request":
        put(
            base,
            base_object=text(body, "base_object"),
            attributes=texts(body, "attributes"),
            result_count=sum(text(answer, "operation") == "search_result_entry" for answer in answers),
        )
        yield "ldap_search", base
        return
    put(
        base,
        version=whole(body, "version"),
        opcode=operation.removesuffix("_request"),
        object=first(value for name in ("name", "entry", "dn", "object") if (value := text(body, name))),
        argument=text(child(body, "sasl"), "mechanism") or text(body, "new_rdn"),
    )
    yield "ldap", base
