package dev.penstock.protocol.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.protocol.Seeds;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Memory that is lent, given back and lent again.
class ReadMemoryTest {
  private static final int KIB = 1024;

  private final ReadMemory memory = new ReadMemory(this::fill);

  /// What the next read finds.
  private int size;

  private byte value;

  private int fill(int socket, byte[] into, int offset, int length) {
    int count = Math.min(size, length);
    Arrays.fill(into, offset, offset + count, value);
    return count;
  }

  /// As much as there is room for and `size` says, all of `value`.
  private ByteBuffer read(int size, int value) {
    this.size = size;
    this.value = (byte) value;
    return memory.receive(0, ReadMemory.BLOCK);
  }

  @SuppressWarnings("ByteBufferBackingArray") // where the bytes are is the question
  private static byte[] arrayOf(ByteBuffer bytes) {
    return bytes.array();
  }

  @Test
  void whatWasGivenBackIsReadIntoAgain() {
    ByteBuffer first = read(ReadMemory.BLOCK, 1);
    memory.giveBack(first);
    assertThat(arrayOf(read(ReadMemory.BLOCK, 2))).isSameAs(arrayOf(first));
  }

  @Test
  void aBlockIsNotReadIntoAgainWhileAByteOfItIsLent() {
    ByteBuffer first = read(ReadMemory.BLOCK, 1);
    memory.giveBack(first, ReadMemory.BLOCK - 1);
    ByteBuffer second = read(ReadMemory.BLOCK, 2);
    assertThat(arrayOf(second)).isNotSameAs(arrayOf(first));
    memory.giveBack(first, 1);
    memory.giveBack(second);
    Set<byte[]> used = Collections.newSetFromMap(new IdentityHashMap<>());
    used.add(arrayOf(read(ReadMemory.BLOCK, 3)));
    used.add(arrayOf(read(ReadMemory.BLOCK, 4)));
    assertThat(used).containsExactlyInAnyOrder(arrayOf(first), arrayOf(second));
  }

  @Test
  void readsLieOneBehindTheOtherInABlock() {
    ByteBuffer first = read(40 * KIB, 1);
    ByteBuffer second = read(40 * KIB, 2);
    assertThat(ReadMemory.shareArray(first, second)).isTrue();
    assertThat(second.position()).isEqualTo(40 * KIB);
    assertThat(first.get(40 * KIB - 1)).isEqualTo((byte) 1);
  }

  @Test
  void aSmallReadIsACopyThatNeedsNoGivingBack() {
    ByteBuffer small = read(ReadMemory.SMALLEST_LENT - 1, 7);
    assertThat(arrayOf(small)).hasSize(ReadMemory.SMALLEST_LENT - 1).containsOnly(7);
    memory.giveBack(small);
    memory.giveBack(small);
  }

  @Test
  void whatIsNotLentStaysAsItIs() {
    size = 50 * KIB;
    value = 5;
    ByteBuffer alone = memory.receiveAlone(0, ReadMemory.BLOCK);
    memory.giveBack(read(ReadMemory.BLOCK, 6));
    assertThat(arrayOf(alone)).hasSize(50 * KIB).containsOnly(5);
  }

  @Test
  void nothingReadIsNothingLent() {
    size = ArrayIo.NOTHING;
    assertThat(memory.receive(0, 100)).isNull();
  }

  @Test
  void aCopyGivesItsOriginalBack() {
    ByteBuffer first = read(10 * KIB, 1);
    ByteBuffer copy = memory.alone(first);
    assertThat(arrayOf(copy)).hasSize(10 * KIB).containsOnly(1);
    assertThat(read(10 * KIB, 2).position()).isZero();
    assertThat(arrayOf(copy)).containsOnly(1);
  }

  @Test
  void mostOfAnArrayIsNotCopied() {
    ByteBuffer most = read(ReadMemory.BLOCK / 2, 1);
    assertThat(memory.alone(most)).isSameAs(most);
    assertThat(read(10 * KIB, 2).position()).isEqualTo(ReadMemory.BLOCK / 2);
  }

  @Test
  void freeMemoryIsOverwrittenUnderTest() {
    ByteBuffer bytes = read(20 * KIB, 1);
    memory.giveBack(bytes);
    assertThat(bytes.get(0)).isNotEqualTo((byte) 1);
  }

  @Test
  void bytesThatCameBackTwiceAreAnError() {
    ByteBuffer bytes = read(20 * KIB, 1);
    memory.giveBack(bytes);
    assertThatThrownBy(() -> memory.giveBack(bytes))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("given back: 20480 bytes more than were lent of a block");
  }

  @Test
  void theMemoryOfAnotherLoopIsNotTaken() {
    ByteBuffer foreign = new ReadMemory((_, _, _, _) -> 20 * KIB).receive(0, ReadMemory.BLOCK);
    memory.giveBack(foreign);
    assertThat(arrayOf(read(20 * KIB, 1))).isNotSameAs(arrayOf(foreign));
  }

  @Test
  void blocksThatNeverComeBackAreForgotten() {
    ByteBuffer oldest = read(ReadMemory.BLOCK, 1);
    for (int i = 0; i <= ReadMemory.MOST_LENT; i++) {
      read(ReadMemory.BLOCK, 2);
    }
    memory.giveBack(oldest);
    assertThat(arrayOf(read(ReadMemory.BLOCK, 3))).isNotSameAs(arrayOf(oldest));
    assertThat(oldest.get(0)).isEqualTo((byte) 1);
  }

  @Test
  void noMoreBlocksAreKeptThanABusyTurnNeeds() {
    List<ByteBuffer> all = new ArrayList<>();
    for (int i = 0; i < 3 * ReadMemory.MOST_SPARE; i++) {
      all.add(read(ReadMemory.BLOCK, i));
    }
    Set<byte[]> old = Collections.newSetFromMap(new IdentityHashMap<>());
    all.forEach(bytes -> old.add(arrayOf(bytes)));
    all.forEach(memory::giveBack);
    int again = 0;
    for (int i = 0; i < 3 * ReadMemory.MOST_SPARE; i++) {
      again += old.contains(arrayOf(read(ReadMemory.BLOCK, i))) ? 1 : 0;
    }
    // The spare ones, and the one that was read into last.
    assertThat(again).isEqualTo(ReadMemory.MOST_SPARE + 1);
  }

  static java.util.stream.LongStream seeds() {
    return Seeds.many();
  }

  /// Pieces of a read, in parts of any size and in any order, go back, are copied, or are lost.
  @ParameterizedTest
  @MethodSource("seeds")
  void whatIsLentNeverChanges(long seed) {
    RandomGenerator random = Seeds.random(seed);
    record Held(ByteBuffer bytes, byte value) {}
    List<Held> held = new ArrayList<>();
    for (int step = 0; step < 2_000; step++) {
      if (held.isEmpty() || random.nextInt(3) > 0) {
        byte value = (byte) random.nextInt(0, 100);
        ByteBuffer bytes = read(1 + random.nextInt(ReadMemory.BLOCK), value);
        while (bytes.hasRemaining()) {
          int part = 1 + random.nextInt(bytes.remaining());
          held.add(new Held(bytes.slice(bytes.position(), part), value));
          bytes.position(bytes.position() + part);
        }
      } else {
        Held one = held.remove(random.nextInt(held.size()));
        assertThat(unchanged(one.bytes(), one.value())).isTrue();
        switch (random.nextInt(20)) {
          case 0 -> {
            // Lost.
          }
          case 1, 2, 3 -> held.add(new Held(memory.alone(one.bytes()), one.value()));
          default -> memory.giveBack(one.bytes());
        }
      }
    }
    assertThat(held).allMatch(one -> unchanged(one.bytes(), one.value()));
  }

  private static boolean unchanged(ByteBuffer bytes, byte value) {
    byte[] expected = new byte[bytes.remaining()];
    Arrays.fill(expected, value);
    return bytes.equals(ByteBuffer.wrap(expected));
  }
}
