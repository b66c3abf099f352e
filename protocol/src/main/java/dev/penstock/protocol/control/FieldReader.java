package dev.penstock.protocol.control;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// Collects the bytes of one binary field after the other out of chunks of any size. It takes no
/// byte beyond the field at hand, and holds at most [#MAX_TEXT] bytes.
final class FieldReader {
  /// Bytes of the longest text in a record at the head of a stream.
  static final int MAX_TEXT = 1024;

  private byte[] bytes = new byte[64];
  private int filled;
  private int wanted;

  /// Begins a field of so many bytes, at most [#MAX_TEXT].
  void expect(int length) {
    if (bytes.length < length) {
      bytes = new byte[length];
    }
    filled = 0;
    wanted = length;
  }

  /// Takes what the field still lacks; true when it is complete.
  boolean fill(ByteBuffer source) {
    int taken = Math.min(wanted - filled, source.remaining());
    source.get(bytes, filled, taken);
    filled += taken;
    return filled == wanted;
  }

  int u8() {
    return bytes[0] & 0xff;
  }

  int u16() {
    return (bytes[0] & 0xff) << 8 | (bytes[1] & 0xff);
  }

  /// Begins the text whose length is the field just filled.
  void expectText(String field) throws MalformedMessage {
    int length = u16();
    if (length > MAX_TEXT) {
      throw MalformedMessage.of(field, length + " bytes", "at most " + MAX_TEXT + " bytes");
    }
    expect(length);
  }

  String text(String field) throws MalformedMessage {
    try {
      CharBuffer text =
          StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes, 0, filled));
      return text.toString();
    } catch (CharacterCodingException _) {
      String found = new String(bytes, 0, filled, StandardCharsets.ISO_8859_1);
      throw MalformedMessage.of(field, '"' + found + '"', "UTF-8");
    }
  }

  /// The length of a text and the text itself, as [#expectText] and [#text] read them.
  static void put(ByteBuffer target, byte[] text) {
    target.putShort((short) text.length).put(text);
  }

  /// The longest beginning of the text that fits into [#MAX_TEXT] bytes and splits no character.
  static String truncate(String text) {
    byte[] encoded = text.getBytes(StandardCharsets.UTF_8);
    if (encoded.length <= MAX_TEXT) {
      return new String(encoded, StandardCharsets.UTF_8);
    }
    int end = MAX_TEXT;
    while ((encoded[end] & 0xc0) == 0x80) {
      end--;
    }
    return new String(Arrays.copyOf(encoded, end), StandardCharsets.UTF_8);
  }
}
