"""Bytes and text, gzip or plain, with the place reached."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from pathlib import Path
from typing import IO

SAMPLE = 2**20
GZIP = b"\x1f\x8b"


class ByteStream:
    """A file's content, unpacked where it is gzip; ``progress`` counts the bytes on disk."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._size = max(path.stat().st_size, 1)
        self.is_gzip = self._file.read(2) == GZIP
        self._file.seek(0)
        self.content: IO[bytes] = gzip.GzipFile(fileobj=self._file) if self.is_gzip else self._file  # type: ignore[assignment]

    def progress(self) -> float:
        try:
            return min(self._file.tell() / self._size, 1.0)
        except ValueError:
            return 1.0

    def close(self) -> None:
        self.content.close()
        self._file.close()


def sample_of(path: Path) -> bytes:
    """The first megabyte of the content, less when the file breaks off before that."""
    stream = ByteStream(path)
    found = bytearray()
    try:
        while len(found) < SAMPLE and (part := stream.content.read1(65536)):  # type: ignore[attr-defined]
            found += part
    except (EOFError, OSError, ValueError, zlib.error):
        pass  # a broken file is told so when it is read
    finally:
        stream.close()
    return bytes(found[:SAMPLE])


def encoding_of(sample: bytes) -> str:
    """UTF-16 and UTF-8 by their mark, UTF-8 by its shape, else Windows Arabic (1256).

    A UTF-8 file with a few broken bytes stays UTF-8, so that only its broken rows are refused.
    """
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if sample.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if len(sample) >= 4 and sample.count(0) > len(sample) // 4:
        return "utf-16-le" if sample[1:400:2].count(0) > sample[0:400:2].count(0) else "utf-16-be"
    if sample.isascii():
        return "utf-8"
    text = sample.decode("utf-8", errors="surrogateescape")
    broken = sum("\udc80" <= letter <= "\udcff" for letter in text)
    whole = sum(letter > "\x7f" for letter in text) - broken
    # The sample may end inside a letter: three bytes at most.
    return "utf-8" if broken <= 3 or broken * 4 < whole else "cp1256"


def text_stream(stream: ByteStream, encoding: str) -> io.TextIOWrapper:
    """Lines as they are (line ends kept). Broken UTF-8 bytes become lone surrogates, which the caller recognises."""
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    return io.TextIOWrapper(stream.content, encoding=encoding, errors=errors, newline="")
