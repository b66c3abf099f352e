package dev.penstock.protocol.net;

import java.nio.ByteBuffer;

/// What a WebSocket carries (RFC 6455). Pings and pongs are answered below and not shown.
public sealed interface WebSocketMessage {
  /// One whole text message.
  record Text(String text) implements WebSocketMessage {}

  /// One whole text message outwards, as its bytes in UTF-8 on the heap: for what never was a
  /// [String]. It is received as [Text].
  record EncodedText(ByteBuffer text) implements WebSocketMessage {}

  /// Bytes of binary messages. Outwards: one message, the parts one after the other. Inwards: one
  /// frame, that is a message or a fragment of one, because a byte stream has no use for their
  /// boundaries.
  @SuppressWarnings(
      "ArrayRecordComponent") // made and taken apart once per message on the byte path
  record Binary(ByteBuffer[] parts) implements WebSocketMessage {}

  /// The closing handshake: the last message in each direction.
  record Close(int code, String reason) implements WebSocketMessage {
    public static final int NORMAL = 1000;
    public static final int GOING_AWAY = 1001;
    public static final int PROTOCOL_ERROR = 1002;
    public static final int INVALID_PAYLOAD = 1007;
    public static final int POLICY_VIOLATION = 1008;
    public static final int TOO_BIG = 1009;
    public static final int INTERNAL_ERROR = 1011;
    public static final int TRY_AGAIN_LATER = 1013;
  }
}
