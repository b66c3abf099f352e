package dev.penstock.protocol.net;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/// What a WebSocket carries (RFC 6455). Pings and pongs are answered below and not shown.
public sealed interface WebSocketMessage {
  /// One whole text message, as its bytes on the heap. Inwards they are known to be UTF-8.
  record Text(ByteBuffer utf8) implements WebSocketMessage {
    public Text(String text) {
      this(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
    }

    /// The text; made anew by every call.
    public String text() {
      return StandardCharsets.UTF_8.decode(utf8.duplicate()).toString();
    }
  }

  /// One whole text message outwards, with `data` in base64 between two texts in UTF-8; all are on
  /// the heap. It is received as a [Text].
  record Base64Text(ByteBuffer before, ByteBuffer data, ByteBuffer after)
      implements WebSocketMessage {}

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
