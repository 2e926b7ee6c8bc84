"""Whole files go to a URL and come from there; what stands in the way is told."""

import pytest

from tune.errors import OptionError, PromotuneError, StorageError
from tune.storage.remote_folder import RemoteFolder

KNOWN = "Write s3://bucket/folder, gs://bucket/folder, or the path of a folder."
UNREACHED = "Check the network and the URL, then give the same command again."


def test_files_come_back_as_they_went(remote, tmp_path):
    (tmp_path / "a").write_bytes(b"\x00 one")
    remote.copy_to_url(tmp_path / "a", "001,LR=0.1/checkpoints/best.ckpt")
    remote.copy_from_url({"001,LR=0.1/checkpoints/best.ckpt": tmp_path / "b" / "c"})

    assert (tmp_path / "b" / "c").read_bytes() == b"\x00 one"
    assert {name: entry.size for name, entry in remote.list_files().items()} == {"001,LR=0.1/checkpoints/best.ckpt": 5}
    assert remote.list_folders() == ["001,LR=0.1"]


def test_what_is_not_there_is_none_and_no_error(remote):
    assert remote.read_file("none") is None
    assert remote.list_files("none") == {}
    assert remote.list_folders() == []
    remote.delete_files(["none"])


def test_of_two_that_create_a_file_one_succeeds(remote):
    assert [remote.create_file("a", b"1"), remote.create_file("a", b"2")] == [True, False]
    assert remote.read_file("a") == b"1"


def test_hidden_files_are_not_listed(remote):
    remote.write_file(".lease.json", b"{}")
    remote.write_file("000/.preflight/x", b"")

    assert remote.list_files() == {}


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "foo://bucket/folder",
            f"--storage: no such protocol, got foo://\n  {KNOWN}",
        ),
        ("gs://bucket/folder", "--storage: gs:// needs a package that is not installed\n  pip install gcsfs"),
        (
            "reference://bucket/folder",
            (
                "--storage: reference:// needs more than a URL (TypeError: ReferenceFileSystem.__init__() missing 1 "
                f"required positional argument: 'fo')\n  {KNOWN}"
            ),
        ),
    ],
)
def test_a_protocol_that_cannot_be_used_is_told_with_the_remedy(url, message):
    with pytest.raises(OptionError) as raised:
        RemoteFolder(url)
    assert str(raised.value) == message
    assert raised.value.exit_status == 2


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "ftp://127.0.0.1:1/x",
            f"ConnectionRefusedError: [Errno 111] Connection refused\n  {UNREACHED}",
        ),
        ("data://text/plain,abc", f"this kind of store has no means for it\n  {KNOWN}"),
    ],
)
def test_a_store_that_does_not_answer_is_told_whenever_it_is_asked_first(url, message):
    with pytest.raises(StorageError) as raised:
        RemoteFolder(url).list_folders()
    assert str(raised.value) == f"{url}: it cannot be read: {message}"
    assert raised.value.exit_status == 2


@pytest.mark.parametrize(
    "act", [RemoteFolder.list_folders, RemoteFolder.list_files, lambda remote: remote.write_file("a", b"")]
)
def test_a_missing_bucket_is_told(reach, act):
    with pytest.raises(PromotuneError) as raised:
        act(RemoteFolder("s3://there-is-none/folder"))
    done = "written" if "lambda" in act.__name__ else "read"
    assert str(raised.value) == (
        f"s3://there-is-none/folder: it cannot be {done}: The specified bucket does not exist\n"
        "  Make the bucket, or give another --storage."
    )
    assert raised.value.exit_status == 2
