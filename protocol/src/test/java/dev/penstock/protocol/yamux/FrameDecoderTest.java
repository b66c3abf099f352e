package dev.penstock.protocol.yamux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.protocol.Seeds;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class FrameDecoderTest {
  /// Joins the pieces of a payload again.
  private static final class Joined implements FrameDecoder.Sink {
    final List<String> frames = new ArrayList<>();
    private final List<ByteBuffer> pieces = new ArrayList<>();
    private String header = "";

    @Override
    public void header(FrameType type, int flags, int streamId, int length) {
      header = "%s %d %d %d".formatted(type, flags, streamId, length);
    }

    @Override
    public void payload(ByteBuffer piece) {
      assertThat(piece.hasRemaining()).isTrue();
      pieces.add(piece);
    }

    @Override
    public void end() {
      ByteBuffer payload = Bytes.join(pieces.toArray(ByteBuffer[]::new));
      frames.add(header + " " + payload.hashCode() + "/" + payload.remaining());
      pieces.clear();
    }
  }

  static LongStream seeds() {
    return Seeds.many();
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void anyChunkingGivesTheSameFrames(long seed) throws ProtocolViolation {
    RandomGenerator random = Seeds.random(seed);
    ByteBuffer[] frames = new ByteBuffer[random.nextInt(1, 30)];
    for (int i = 0; i < frames.length; i++) {
      frames[i] =
          switch (random.nextInt(4)) {
            case 0 -> Bytes.frame(Bytes.UPDATE, random.nextInt(16), 1 + i, random.nextInt());
            case 1 -> Bytes.frame(Bytes.PING, Bytes.SYN, 0, random.nextInt());
            case 2 -> Bytes.data(0, 1 + i, 0);
            default -> {
              byte[] payload = new byte[random.nextInt(100)];
              random.nextBytes(payload);
              yield Bytes.join(
                  Bytes.frame(Bytes.DATA, 0, 1 + i, payload.length), ByteBuffer.wrap(payload));
            }
          };
    }
    byte[] all = Bytes.array(Bytes.join(frames));

    Joined whole = new Joined();
    new FrameDecoder(whole).feed(ByteBuffer.wrap(all.clone()));
    Joined cut = new Joined();
    FrameDecoder decoder = new FrameDecoder(cut);
    int most = random.nextInt(1, 40);
    for (int at = 0; at < all.length; ) {
      int length = Math.min(random.nextInt(most + 1), all.length - at);
      decoder.feed(ByteBuffer.wrap(all, at, length).order(ByteOrder.LITTLE_ENDIAN));
      at += length;
    }

    assertThat(whole.frames).hasSize(frames.length);
    assertThat(cut.frames).isEqualTo(whole.frames);
  }

  @Test
  void aPayloadIsHandedOnBeforeItIsComplete() throws ProtocolViolation {
    List<Integer> pieces = new ArrayList<>();
    FrameDecoder decoder =
        new FrameDecoder(
            new FrameDecoder.Sink() {
              @Override
              public void header(FrameType type, int flags, int streamId, int length) {}

              @Override
              public void payload(ByteBuffer piece) {
                pieces.add(piece.remaining());
              }

              @Override
              public void end() {
                pieces.add(-1);
              }
            });

    decoder.feed(Bytes.frame(Bytes.DATA, 0, 1, 10));
    decoder.feed(ByteBuffer.allocate(4));
    assertThat(pieces).containsExactly(4);
    decoder.feed(ByteBuffer.allocate(6));
    assertThat(pieces).containsExactly(4, 6, -1);
  }

  @ParameterizedTest
  @CsvSource({
    "01 00 0000 00000001 00000000, version: 1 (expected: 0)",
    "ff 00 0000 00000001 00000000, version: 255 (expected: 0)",
    "00 04 0000 00000001 00000000, type: 4 (expected: 0 to 3)",
    "00 ff 0000 00000001 00000000, type: 255 (expected: 0 to 3)",
    "00 00 0000 00000000 00000000, stream id of a DATA frame: 0 (expected: not 0)",
    "00 01 0001 00000000 00000000, stream id of a WINDOW_UPDATE frame: 0 (expected: not 0)",
    "00 02 0001 00000007 00000000, stream id of a PING frame: 7 (expected: 0)",
    "00 03 0000 ffffffff 00000000, stream id of a GO_AWAY frame: 4294967295 (expected: 0)",
  })
  void malformedHeadersAreViolations(String bytes, String text) {
    assertThatThrownBy(() -> new FrameDecoder(new Joined()).feed(Bytes.hex(bytes)))
        .isInstanceOf(ProtocolViolation.class)
        .hasMessage(text);
  }
}
