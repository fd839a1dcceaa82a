"""Writes docs/contract.md from the protos: `python docs/contract.py`, or `make docs`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from google.protobuf import descriptor_pb2 as pb
from grpc_tools import protoc

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "contract.md"
HEAD = """# The contract

Every service, method, message and field of `donna.v1`, generated from [protos/donna/v1](../protos/donna/v1) by
`make docs`; do not edit.

"""
SCALARS = {
    number: name.removeprefix("TYPE_").lower() for name, number in pb.FieldDescriptorProto.Type.items()
}


def page() -> str:
    """The whole page."""
    files = [file for file in described().file if file.package == "donna.v1"]
    files.sort(key=lambda file: (not file.service, file.name))
    toc = [f"- [{Path(file.name).stem}](#{Path(file.name).stem})" for file in files]
    return (
        HEAD + "\n".join(toc) + "\n" + "".join("\n" + "\n".join(Page(file).lines()) + "\n" for file in files)
    )


def described() -> pb.FileDescriptorSet:
    """The protos with their comments."""
    protos = sorted(str(path.relative_to(ROOT / "protos")) for path in (ROOT / "protos").rglob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set"
        import grpc_tools

        include = Path(grpc_tools.__file__).parent / "_proto"
        arguments = [
            "protoc",
            f"-I{ROOT / 'protos'}",
            f"-I{include}",
            "--include_source_info",
            f"-o{out}",
            *protos,
        ]
        if protoc.main(arguments) != 0:
            raise SystemExit("protoc refuses the protos")
        return pb.FileDescriptorSet.FromString(out.read_bytes())


class Page:
    """One file of the contract as Markdown."""

    def __init__(self, file: pb.FileDescriptorProto) -> None:
        self._file = file
        self._comments = {
            tuple(location.path): " ".join(location.leading_comments.split())
            for location in file.source_code_info.location
        }

    def lines(self) -> Iterator[str]:
        """Services first, then messages, then enums."""
        yield f"## {Path(self._file.name).stem}"
        for index, service in enumerate(self._file.service):
            yield from ("", f"### {service.name}", "", self._said(6, index), "")
            yield from ("| method | what it does |", "|---|---|")
            for number, method in enumerate(service.method):
                stream = " (stream)"
                asked = method.input_type.rpartition(".")[2] + (stream if method.client_streaming else "")
                answer = method.output_type.rpartition(".")[2] + (stream if method.server_streaming else "")
                shape = "" if self._usual(method) else f" `{asked}` → `{answer}`"
                yield f"| `{method.name}`{shape} | {self._said(6, index, 2, number)} |"
        for index, message in enumerate(self._file.message_type):
            yield from ("", f"#### {message.name}", "", self._said(4, index))
            if message.field:
                yield from ("", "| field | type | what it says |", "|---|---|---|")
            for number, field in enumerate(message.field):
                yield f"| `{field.name}` | {self._type(message, field)} | {self._said(4, index, 2, number)} |"
        for index, enum in enumerate(self._file.enum_type):
            yield from (
                "",
                f"#### {enum.name}",
                "",
                self._said(5, index),
                "",
                "| value | what it means |",
                "|---|---|",
            )
            for number, value in enumerate(enum.value):
                yield f"| `{value.name}` | {self._said(5, index, 2, number)} |"

    def _said(self, *path: int) -> str:
        return self._comments.get(path, "").replace("|", "\\|")

    @staticmethod
    def _usual(method: pb.MethodDescriptorProto) -> bool:
        """`GetX` takes GetXRequest and gives GetXResponse: not worth repeating."""
        return not (method.client_streaming or method.server_streaming)

    @staticmethod
    def _type(message: pb.DescriptorProto, field: pb.FieldDescriptorProto) -> str:
        name = (
            field.type_name.removeprefix(".donna.v1.").removeprefix(".google.protobuf.")
            or SCALARS[field.type]
        )
        for nested in message.nested_type:
            if nested.options.map_entry and field.type_name.endswith(f".{nested.name}"):
                key, value = (Page._type(nested, part) for part in nested.field)
                return f"map of {key} to {value}"
        if field.label == pb.FieldDescriptorProto.LABEL_REPEATED:
            return f"list of {name}"
        return f"optional {name}" if field.proto3_optional else name


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE.relative_to(ROOT)}\n")
