package dev.penstock.protocol.link;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.protocol.net.ReadMemory;
import dev.penstock.protocol.yamux.CloseCause;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

/// What waits for a reader, and what it keeps in memory.
class LinkStreamTest {
  private static final int READ = 10_000;

  private final LinkStream stream = new LinkStream(null, new ReadMemory());

  /// A part of what one read brought.
  private static ByteBuffer part(byte[] read, int from, int length) {
    for (int at = from; at < from + length; at++) {
      read[at] = (byte) at;
    }
    return ByteBuffer.wrap(read, from, length).slice();
  }

  @SuppressWarnings("ByteBufferBackingArray") // what is kept is the question
  private static byte[] kept(ByteBuffer bytes) {
    return bytes.array();
  }

  private ByteBuffer taken() {
    ByteBuffer next = stream.peek();
    stream.closed(CloseCause.FINISHED);
    assertThat(stream.poll()).isSameAs(next);
    return next;
  }

  @Test
  void partsOfOneReadArePassedOnWhereTheyAre() {
    byte[] read = new byte[READ];
    stream.received(part(read, 12, 1_000));
    stream.received(part(read, 2_000, 1_000));
    assertThat(kept(taken())).isSameAs(read);
    assertThat(kept(taken())).isSameAs(read);
  }

  @Test
  void aReaderThatLeftWhatAnEarlierReadBroughtIsGivenCopiesThatKeepNothingElse() {
    byte[] late = new byte[READ];
    stream.received(part(new byte[READ], 12, 1_000));
    stream.received(part(late, 300, 200));
    stream.received(part(late, 700, 100));
    assertThat(kept(taken())).hasSize(1_000);
    ByteBuffer first = taken();
    assertThat(kept(first)).hasSize(200);
    assertThat(first).isEqualTo(ByteBuffer.wrap(late, 300, 200));
    assertThat(kept(taken())).hasSize(100);
  }

  @Test
  void whatIsMostOfItsReadIsNotCopiedForAnybody() {
    byte[] late = new byte[READ];
    stream.received(part(new byte[READ], 12, 1_000));
    stream.received(part(late, 0, READ / 2));
    assertThat(taken()).isNotNull();
    assertThat(kept(taken())).isSameAs(late);
  }
}
