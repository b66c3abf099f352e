package dev.penstock.protocol.link;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.protocol.Seeds;
import dev.penstock.protocol.yamux.ByteBudget;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

final class DatagramQueueTest {
  private static final int BYTES = 128 * 1024;

  private final DatagramTraffic traffic = new DatagramTraffic();
  private final ByteBudget budget = new ByteBudget(1 << 20);

  static LongStream seeds() {
    return Seeds.many();
  }

  @Test
  void datagramsLeaveInTheOrderTheyCame() {
    DatagramQueue queue = queue(10);
    addAll(queue, "a", "b", "c");
    assertThat(drain(queue)).containsExactly("a", "b", "c");
    assertThat(budget.used()).isZero();
  }

  @Test
  void theOldestGoesWhenThereAreTooMany() {
    DatagramQueue queue = queue(3);
    addAll(queue, "a", "b", "c", "d", "e");
    assertThat(traffic.dropped(DatagramDrop.QUEUE_FULL)).isEqualTo(2);
    assertThat(drain(queue)).containsExactly("c", "d", "e");
  }

  @Test
  void theOldestGoWhenThereAreTooManyBytes() {
    DatagramQueue queue = queue(1000);
    for (int i = 0; i < 5; i++) {
      queue.add(ByteBuffer.wrap(new byte[60_000]).put(0, (byte) i));
    }
    assertThat(traffic.dropped(DatagramDrop.QUEUE_FULL)).isEqualTo(3);
    assertThat(queue.poll().get(0)).isEqualTo((byte) 3);
    assertThat(queue.poll().get(0)).isEqualTo((byte) 4);
    assertThat(queue.poll()).isNull();
  }

  @Test
  void whatTheBudgetDoesNotAllowIsDroppedAndCounted() {
    assertThat(budget.tryReserve(budget.limit() - 2 * (10 + DatagramQueue.OVERHEAD))).isTrue();
    DatagramQueue queue = queue(10);
    queue.add(ByteBuffer.wrap("0123456789".getBytes(US_ASCII)));
    queue.add(ByteBuffer.wrap("abcdefghij".getBytes(US_ASCII)));
    queue.add(ByteBuffer.wrap("ABCDEFGHIJ".getBytes(US_ASCII)));
    assertThat(traffic.dropped(DatagramDrop.OVER_BUDGET)).isEqualTo(1);
    assertThat(drain(queue)).containsExactly("abcdefghij", "ABCDEFGHIJ");
  }

  @Test
  void withoutAnyBudgetTheNewOneIsDropped() {
    assertThat(budget.tryReserve(budget.limit())).isTrue();
    DatagramQueue queue = queue(10);
    addAll(queue, "a");
    assertThat(queue.isEmpty()).isTrue();
    assertThat(traffic.dropped(DatagramDrop.OVER_BUDGET)).isEqualTo(1);
    assertThat(budget.used()).isEqualTo(budget.limit());
  }

  @Test
  void whatIsPutBackGoesFirstAgain() {
    DatagramQueue queue = queue(10);
    addAll(queue, "c");
    queue.putBack(List.of(bytes("a"), bytes("b")));
    assertThat(drain(queue)).containsExactly("a", "b", "c");
  }

  @Test
  void ofWhatIsPutBackIntoAFullQueueTheOldestGoes() {
    DatagramQueue queue = queue(3);
    addAll(queue, "d", "e");
    queue.putBack(List.of(bytes("a"), bytes("b"), bytes("c")));
    assertThat(traffic.dropped(DatagramDrop.QUEUE_FULL)).isEqualTo(2);
    assertThat(drain(queue)).containsExactly("c", "d", "e");
  }

  @Test
  void clearingCountsEveryDatagramAndGivesTheBudgetBack() {
    DatagramQueue queue = queue(10);
    addAll(queue, "a", "b", "c");
    queue.clear(DatagramDrop.SESSION_ENDED);
    assertThat(traffic.dropped(DatagramDrop.SESSION_ENDED)).isEqualTo(3);
    assertThat(budget.used()).isZero();
  }

  @Test
  void boundsThatCouldNotHoldTwoOfTheLargestAreRefused() {
    assertThatThrownBy(() -> new DatagramQueue.Limits(BYTES - 1, 1))
        .hasMessage("bytes: 131071 (expected: at least 131072)");
    assertThatThrownBy(() -> new DatagramQueue.Limits(BYTES, 0))
        .hasMessage("datagrams: 0 (expected: at least 1)");
  }

  /// Against a list that does the same without any bookkeeping.
  @ParameterizedTest
  @MethodSource("seeds")
  void everyDatagramIsEitherTakenOrCountedAndTheBoundsHold(long seed) {
    RandomGenerator random = Seeds.random(seed);
    int most = random.nextInt(1, 50);
    DatagramQueue queue = queue(most);
    var model = new ArrayDeque<ByteBuffer>();
    long added = 0;
    long taken = 0;
    for (int i = 0; i < 500; i++) {
      if (random.nextInt(3) > 0) {
        ByteBuffer datagram = ByteBuffer.allocate(random.nextInt(65_508));
        queue.add(datagram);
        added++;
        model.add(datagram);
        while (model.size() > most || cost(model) > BYTES) {
          model.poll();
        }
      } else {
        ByteBuffer expected = model.poll();
        assertThat(queue.poll()).isSameAs(expected);
        taken += expected == null ? 0 : 1;
      }
      assertThat(queue.size()).isEqualTo(model.size());
      assertThat(budget.used()).isEqualTo(cost(model));
      assertThat(taken + queue.size() + traffic.dropped(DatagramDrop.QUEUE_FULL)).isEqualTo(added);
    }
  }

  private static long cost(ArrayDeque<ByteBuffer> datagrams) {
    return datagrams.stream().mapToLong(DatagramQueue::costOf).sum();
  }

  private DatagramQueue queue(int datagrams) {
    return new DatagramQueue(new DatagramQueue.Limits(BYTES, datagrams), budget, traffic);
  }

  private static void addAll(DatagramQueue queue, String... texts) {
    for (String text : texts) {
      queue.add(bytes(text));
    }
  }

  private static ByteBuffer bytes(String text) {
    return ByteBuffer.wrap(text.getBytes(US_ASCII));
  }

  private static List<String> drain(DatagramQueue queue) {
    var all = new ArrayList<String>();
    for (ByteBuffer next = queue.poll(); next != null; next = queue.poll()) {
      all.add(US_ASCII.decode(next).toString());
    }
    return all;
  }
}
