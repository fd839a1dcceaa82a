from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AttachRequest(_message.Message):
    __slots__ = ("hello", "data", "close")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    hello: AgentHello
    data: ConnectionData
    close: ConnectionClose
    def __init__(self, hello: _Optional[_Union[AgentHello, _Mapping]] = ..., data: _Optional[_Union[ConnectionData, _Mapping]] = ..., close: _Optional[_Union[ConnectionClose, _Mapping]] = ...) -> None: ...

class AttachResponse(_message.Message):
    __slots__ = ("welcome", "open", "data", "close")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    welcome: HubWelcome
    open: ConnectionOpen
    data: ConnectionData
    close: ConnectionClose
    def __init__(self, welcome: _Optional[_Union[HubWelcome, _Mapping]] = ..., open: _Optional[_Union[ConnectionOpen, _Mapping]] = ..., data: _Optional[_Union[ConnectionData, _Mapping]] = ..., close: _Optional[_Union[ConnectionClose, _Mapping]] = ...) -> None: ...

class AgentHello(_message.Message):
    __slots__ = ("agent", "instance", "fingerprint_sha256")
    class FingerprintSha256Entry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    AGENT_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_SHA256_FIELD_NUMBER: _ClassVar[int]
    agent: str
    instance: str
    fingerprint_sha256: _containers.ScalarMap[str, str]
    def __init__(self, agent: _Optional[str] = ..., instance: _Optional[str] = ..., fingerprint_sha256: _Optional[_Mapping[str, str]] = ...) -> None: ...

class HubWelcome(_message.Message):
    __slots__ = ("agent",)
    AGENT_FIELD_NUMBER: _ClassVar[int]
    agent: str
    def __init__(self, agent: _Optional[str] = ...) -> None: ...

class ConnectionOpen(_message.Message):
    __slots__ = ("connection",)
    CONNECTION_FIELD_NUMBER: _ClassVar[int]
    connection: int
    def __init__(self, connection: _Optional[int] = ...) -> None: ...

class ConnectionData(_message.Message):
    __slots__ = ("connection", "data")
    CONNECTION_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    connection: int
    data: bytes
    def __init__(self, connection: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class ConnectionClose(_message.Message):
    __slots__ = ("connection",)
    CONNECTION_FIELD_NUMBER: _ClassVar[int]
    connection: int
    def __init__(self, connection: _Optional[int] = ...) -> None: ...
