package dev.penstock.protocol.yamux;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// Cuts the bytes of the peer, in any chunking, into headers and pieces of payload. Holds nothing
/// but an unfinished header: a payload is handed on piece by piece, as a slice of the chunk it came
/// in.
final class FrameDecoder {
  /// Who takes the parts of frames, in order: one `header`, for a data frame any number of
  /// `payload`, then one `end`.
  interface Sink {
    /// A header of correct form. `length` is unsigned.
    void header(FrameType type, int flags, int streamId, int length) throws ProtocolViolation;

    /// The next bytes of the data frame whose header came last; at least one.
    void payload(ByteBuffer piece) throws ProtocolViolation;

    /// The frame whose header came last is complete.
    void end() throws ProtocolViolation;
  }

  private final Sink sink;
  private final ByteBuffer partial = ByteBuffer.allocate(FrameHeader.BYTES);
  private long payloadLeft;

  FrameDecoder(Sink sink) {
    this.sink = sink;
  }

  /// Takes all of `chunk`, which the caller gives away.
  ///
  /// @return how many of its bytes were headers, and so no payload
  /// @throws ProtocolViolation a header is malformed, or the sink refused; decoding cannot go on
  int feed(ByteBuffer chunk) throws ProtocolViolation {
    chunk.order(ByteOrder.BIG_ENDIAN);
    int headers = 0;
    while (chunk.hasRemaining()) {
      if (payloadLeft > 0) {
        payload(chunk);
        continue;
      }
      int before = chunk.remaining();
      if (partial.position() == 0 && before >= FrameHeader.BYTES) {
        header(chunk);
      } else {
        completeHeader(chunk);
      }
      headers += before - chunk.remaining();
    }
    return headers;
  }

  private void payload(ByteBuffer chunk) throws ProtocolViolation {
    int length = (int) Math.min(payloadLeft, chunk.remaining());
    ByteBuffer piece = chunk.slice(chunk.position(), length);
    chunk.position(chunk.position() + length);
    payloadLeft -= length;
    sink.payload(piece);
    if (payloadLeft == 0) {
      sink.end();
    }
  }

  private void completeHeader(ByteBuffer chunk) throws ProtocolViolation {
    while (partial.hasRemaining() && chunk.hasRemaining()) {
      partial.put(chunk.get());
    }
    if (!partial.hasRemaining()) {
      header(partial.flip());
      partial.clear();
    }
  }

  private void header(ByteBuffer from) throws ProtocolViolation {
    int first = from.getInt();
    int streamId = from.getInt();
    int length = from.getInt();
    int version = first >>> 24;
    if (version != FrameHeader.VERSION) {
      throw new ProtocolViolation("version: " + version + " (expected: 0)");
    }
    FrameType type = FrameType.of(first >>> 16 & 0xff);
    if (type == null) {
      throw new ProtocolViolation("type: " + (first >>> 16 & 0xff) + " (expected: 0 to 3)");
    }
    if (type.ofStream() != (streamId != 0)) {
      throw new ProtocolViolation(
          "stream id of a %s frame: %s (expected: %s)"
              .formatted(
                  type, Integer.toUnsignedString(streamId), type.ofStream() ? "not 0" : "0"));
    }
    payloadLeft = type == FrameType.DATA ? Integer.toUnsignedLong(length) : 0;
    sink.header(type, first & 0xffff, streamId, length);
    if (payloadLeft == 0) {
      sink.end();
    }
  }
}
