"""CSV: exports as their makers write them, and sheets made by hand."""

from __future__ import annotations

import pytest

from threathunting.intel.formats.csv_ import FORMAT
from threathunting.intel.types import Item

from ..reading import TOLD_AT, added, armed, items, only_reason, read, refused

SHA256, SHA1, MD5 = "a" * 64, "b" * 40, "c" * 32


def test_threatfox() -> None:
    data = (
        "################\n"
        "# ThreatFox IOCs #\n"
        "################\n"
        "#\n"
        '# "first_seen_utc","ioc_id","ioc_value","ioc_type","threat_type","fk_malware","malware_alias",'
        '"malware_printable","last_seen_utc","confidence_level","reference","tags","anonymous","reporter"\n'
        '"2024-01-01 10:00:00", "1", "192.0.2.1:4444", "ip:port", "botnet_cc", "win.x", "None", "Cobalt Strike", "",'
        ' "75", "https://ref.example/1", "c2,CobaltStrike", "0", "someone"\n'
        f'"2024-01-01 10:00:01", "2", "{SHA256}", "sha256_hash", "payload", "win.x", "None", "Unknown malware", "",'
        ' "100", "None", "None", "0", "someone"\n'
        '"2024-01-01 10:00:02", "3", "evil.com", "domain", "botnet_cc", "win.x", "", "X", "", "50", "", "", "0", "s"\n'
        '"2024-01-01 10:00:02", "4", "https://evil.com/x", "url", "payload_delivery", "", "", "X", "", "50", "", "", "0", "s"\n'
        "# Number of entries: 4\n"
    )
    entries = read(FORMAT, data)
    assert armed(entries) == [
        ("addr", "192.0.2.1"),
        ("file_hash", SHA256),
        ("domain", "evil.com"),
        ("url", "evil.com/x"),
    ]
    first, second = items(entries)[:2]
    assert first == Item(
        "feed",
        desc="Cobalt Strike",
        confidence=75,
        id="1",
        url="https://ref.example/1",
        tags=("c2", "CobaltStrike"),
    )
    assert second == Item("feed", desc="Unknown malware", confidence=100, id="2")


def test_urlhaus() -> None:
    data = (
        "# URLhaus Database Dump (CSV - recent URLs only) #\r\n"
        "#\r\n"
        "# id,dateadded,url,url_status,last_online,threat,tags,urlhaus_link,reporter\r\n"
        '"3","2024-01-01 10:00:00","http://192.0.2.1:8080/i","online","2024-01-01","malware_download","elf,mozi",'
        '"https://urlhaus.example/url/3/","someone"\r\n'
    )
    entries = read(FORMAT, data)
    assert armed(entries) == [("url", "192.0.2.1:8080/i")]
    assert items(entries) == [
        Item(
            "feed",
            desc="malware_download",
            id="3",
            url="https://urlhaus.example/url/3/",
            tags=("elf", "mozi"),
        )
    ]


def test_malware_bazaar_takes_all_hashes_and_no_file_name() -> None:
    data = (
        '# "first_seen_utc","sha256_hash","md5_hash","sha1_hash","reporter","file_name","signature","imphash"\n'
        f'"2024-01-01", "{SHA256}", "{MD5}", "{SHA1}", "x", "invoice.pdf", "Emotet", "{MD5}"\n'
    )
    entries = read(FORMAT, data)
    assert armed(entries) == [("file_hash", SHA256), ("file_hash", MD5), ("file_hash", SHA1)]
    assert items(entries)[0].desc == "Emotet"


def test_feodo_and_sslbl() -> None:
    feodo = (
        '"first_seen_utc","dst_ip","dst_port","c2_status","last_online","malware"\n'
        '"2024-01-01","192.0.2.1","443","online","","Qak"\n'
    )
    assert armed(read(FORMAT, feodo)) == [("addr", "192.0.2.1")]
    certificates = f"# Listingdate,SHA1,Listingreason\n2024-01-01 10:00:00,{SHA1},Cobalt Strike C&C\n"
    assert armed(read(FORMAT, certificates)) == [("cert_hash", SHA1)]
    addresses = "# Firstseen,DstIP,DstPort\n2024-01-01 10:00:00,192.0.2.1,443\n"
    assert armed(read(FORMAT, addresses)) == [("addr", "192.0.2.1")]
    ja3 = f"# ja3_md5,Firstseen,Lastseen,Listingreason\n{MD5},2017,2018,Adware\n"
    assert armed(read(FORMAT, ja3)) == [("ja3", MD5)]


def test_otx() -> None:
    data = (
        "Indicator type,Indicator,Description\n"
        "IPv4,192.0.2.1,\n"
        f"FileHash-SHA256,{SHA256},dropper\n"
        "hostname,www.evil.com,\n"
        "URL,http://evil.com/,\n"
        "CIDR,192.0.2.0/24,\n"
        f"FileHash-PEHASH,{SHA1},\n"
        "CVE,CVE-2021-44228,\n"
    )
    entries = read(FORMAT, data)
    assert added(entries) == [
        ("addr", "192.0.2.1"),
        ("file_hash", SHA256),
        ("domain", "www.evil.com"),
        ("url", "evil.com/"),
        ("subnet", "192.0.2.0/24"),
    ]
    assert refused(entries) == [(7, "type not hunted: FileHash-PEHASH"), (8, "type not hunted: CVE")]


MISP = (
    "uuid,event_id,category,type,value,comment,to_ids,date\n"
    '"u1",1,"Network activity","ip-dst|port","192.0.2.1|443","c2",1,20240101\n'
    '"u2",1,"Network activity","domain|ip","evil.com|192.0.2.2","",1,20240101\n'
    f'"u3",1,"Payload","filename|md5","invoice.pdf|{MD5}","",1,20240101\n'
    '"u4",1,"Other","ip-src","192.0.2.9","",0,20240101\n'
)


def test_misp() -> None:
    entries = read(FORMAT, MISP)
    assert added(entries) == [
        ("addr", "192.0.2.1"),
        ("domain", "evil.com"),
        ("addr", "192.0.2.2"),
        ("file_hash", MD5),
    ]
    assert refused(entries) == [(5, "to_ids is false")]
    assert [item.id for item in items(entries)] == ["u1", "u2", "u2", "u3"]
    assert ("addr", "192.0.2.9") in armed(read(FORMAT, MISP, all_attributes=True))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_sheet_made_by_hand(delimiter: str) -> None:
    rows = [
        [
            "IOC",
            "Type",
            "Description",
            "Source",
            "Severity",
            "Confidence",
            "Tags",
            "Valid Until",
            "ID",
            "Reference",
        ],
        [
            "evil[.]com",
            "domain",
            "bad, bad",
            "CERT",
            "Critical",
            "90%",
            "a b",
            "2030-01-01",
            "7",
            "https://r.example/",
        ],
        ["192.0.2.1", "", "", "", "Moderate", "High", "", "", "", ""],
        ["*.worse.com", "domain"],
    ]
    data = "\n".join(delimiter.join(f'"{cell}"' for cell in row) for row in rows)
    entries = read(FORMAT, data)
    assert armed(entries) == [("domain", "evil.com"), ("addr", "192.0.2.1"), ("domain", "*.worse.com")]
    assert items(entries)[:2] == [
        Item(
            "CERT",
            desc="bad, bad",
            level="critical",
            confidence=90,
            id="7",
            url="https://r.example/",
            tags=("a b",),
            expires=1893456000.0,
        ),
        Item("feed", level="medium", confidence=85),
    ]


def test_columns_by_type() -> None:
    data = (
        "domain,ip,url,sha256,filename,email\n"
        "evil.com,192.0.2.1,,,,\n"
        "evil.com,192.0.2.1,http://evil.com/x,,,\n"
        f",,,{SHA256},invoice.pdf,\n"
        ",,,,evil.exe,bad@evil.com\n"
        "192.0.2.7,,,,,\n"
        ",,,,,\n"
    )
    entries = read(FORMAT, data)
    assert added(entries) == [
        ("domain", "evil.com"),
        ("addr", "192.0.2.1"),
        ("url", "evil.com/x"),
        ("file_hash", SHA256),
        ("file_name", "evil.exe"),
        ("email", "bad@evil.com"),
        ("addr", "192.0.2.7"),
    ]
    assert refused(entries) == [(7, "has no indicator")]


def test_ends() -> None:
    data = "ioc,expire\nevil.com,60\nworse.com,2030-01-01 00:00:00 UTC\nbad.com,whenever\n"
    entries = read(FORMAT, data)
    assert [item.expires for item in items(entries)] == [TOLD_AT + 60, 1893456000.0]
    assert refused(entries) == [(4, "'whenever' is not an RFC 3339 time")]


def test_a_column_alone() -> None:
    assert armed(read(FORMAT, "indicator\nevil.com\n192.0.2.1\n")) == [
        ("domain", "evil.com"),
        ("addr", "192.0.2.1"),
    ]


def test_rows_over_several_lines_and_quotes_never_closed() -> None:
    data = (
        "ioc,description\n"
        'evil.com,"two\nlines"\n'
        'worse.com,"never closed\n'
        'bad.com,19" rack\n'
        '192.0.2.1,"""quoted"""\n'
        '192.0.2.2,"half" closed\n'
    )
    entries = read(FORMAT, data)
    assert added(entries) == [
        ("domain", "evil.com"),
        ("domain", "bad.com"),
        ("addr", "192.0.2.1"),
        ("addr", "192.0.2.2"),
    ]
    assert [item.desc for item in items(entries)] == ["two\nlines", '19" rack', '"quoted"', "half closed"]
    assert refused(entries) == [(4, "a quote is never closed")]
    assert [entry.line for entry in entries] == [2, 4, 5, 6, 7]


def test_too_many_columns() -> None:
    entries = read(FORMAT, "ioc,type\nevil.com,domain,,\nhttp://evil.com/a,b,url\n")
    assert added(entries) == [("domain", "evil.com")]
    assert refused(entries) == [(3, "has 3 columns, the header 2")]


def test_no_header() -> None:
    assert "has no header" in only_reason(read(FORMAT, "evil.com,domain\n"))
    assert "has no header" in only_reason(read(FORMAT, ""))


def test_bytes_that_are_not_utf8() -> None:
    entries = read(FORMAT, b"ioc,description\nevil.com,caf\xe9\nev\xeel.com,x\n")
    assert added(entries) == [("domain", "evil.com")]
    assert [line for line, _ in refused(entries)] == [3]


@pytest.mark.parametrize(
    ("head", "is_csv"),
    [
        ("ioc,type\n", True),
        ("\ufeffIndicator;Type\r\n", True),
        ("# id,dateadded,url\n1,2,http://evil.com/\n", True),
        ("# id,dateadded,url\n", True),
        ("# url\nhttp://evil.com/\n", False),
        ("# domain, ip and more\nevil.com\n", False),
        ("evil.com\nworse.com\n", False),
        ("name,colour\nx,y\n", False),
        ("", False),
        ("ioc,type\n\0", False),
        ("host.name,@timestamp\nevil.com,x\n", True),
        ("evil.com,domain\n", False),
        ("# domain,ip\ndomain,seen,by\n", True),
    ],
)
def test_looks_like(head: str, is_csv: bool) -> None:
    assert FORMAT.looks_like("x", head.encode()) is is_csv
