package dev.penstock.management.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.typesafe.config.ConfigFactory;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.pekko.NotUsed;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.SinkQueueWithCancel;
import org.apache.pekko.stream.javadsl.Source;
import org.apache.pekko.util.ByteString;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class WatchesTest {
  private static final Duration PATIENCE = Duration.ofSeconds(20);
  private static ActorTestKit kit;

  private final AtomicInteger looks = new AtomicInteger();
  private final CompletableFuture<NotUsed> never = new CompletableFuture<>();
  private volatile ObjectNode answer = items("a", "b");

  @BeforeAll
  static void startSystem() {
    kit = ActorTestKit.create("watches", ConfigFactory.load());
  }

  @AfterAll
  static void stopSystem() {
    kit.shutdownTestKit();
  }

  private static ObjectNode items(String... ids) {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    var items = json.putArray("items");
    for (String id : ids) {
      items.addObject().put("id", id.substring(0, 1)).put("value", id);
    }
    json.put("total", ids.length);
    json.putArray("unanswered");
    return json;
  }

  private Watches watches(int most, int answers, Duration heartbeat) {
    return new Watches(
        kit.system(),
        new ApiMeters(new PrometheusRegistry()),
        new Watches.Limits(most, answers, Duration.ofMillis(20), heartbeat, Duration.ofMinutes(1)));
  }

  private CompletionStage<ObjectNode> look() {
    looks.incrementAndGet();
    return CompletableFuture.completedFuture(answer);
  }

  private static SinkQueueWithCancel<ByteString> run(Source<ByteString, NotUsed> source) {
    return source.runWith(Sink.queue(), kit.system());
  }

  private static String next(SinkQueueWithCancel<ByteString> reader) {
    return reader
        .pull()
        .toCompletableFuture()
        .orTimeout(PATIENCE.toSeconds(), TimeUnit.SECONDS)
        .join()
        .map(ByteString::utf8String)
        .orElse("end");
  }

  @Test
  void aReaderIsToldThePageAndThenWhatChanges() {
    var reader = run(watches(10, 10, Duration.ofMinutes(1)).watch("k", answer, this::look, never));
    assertThat(next(reader)).isEqualTo("retry: 3000\nevent: page\ndata: " + answer + "\n\n");
    answer = items("b", "a2");
    assertThat(next(reader))
        .isEqualTo(
            "event: change\ndata: {\"changed\":[{\"id\":\"a\",\"value\":\"a2\"}],"
                + "\"removed\":[],\"order\":[\"b\",\"a\"],\"total\":2,\"unanswered\":[]}\n\n");
    answer = items("b");
    assertThat(next(reader)).contains("\"removed\":[\"a\"]");
    reader.cancel();
  }

  @Test
  void aReaderThatWasTooSlowIsToldThePageAnew() {
    var watches = watches(10, 10, Duration.ofMinutes(1));
    var slow = run(watches.watch("k", answer, this::look, never));
    var quick = run(watches.watch("k", answer, this::look, never));
    next(slow);
    next(quick);
    for (int i = 0; i < 40; i++) {
      answer = items("a", "c" + i);
      String seen = next(quick);
      while (!seen.contains("\"c" + i + "\"")) {
        seen = next(quick);
      }
    }
    // What the stream itself has buffered comes first.
    int events = 1;
    String caughtUp = next(slow);
    for (; !caughtUp.contains("\"c39\""); events++) {
      caughtUp = next(slow);
    }
    assertThat(caughtUp).startsWith("retry: 3000\nevent: page");
    assertThat(events).isLessThan(40);
    slow.cancel();
    quick.cancel();
  }

  @Test
  void nobodyIsToldTheSameTwice() {
    var watches = watches(60, 10, Duration.ofMinutes(1));
    var readers = new ArrayList<SinkQueueWithCancel<ByteString>>();
    for (int i = 0; i < 50; i++) {
      readers.add(run(watches.watch("k", answer, this::look, never)));
    }
    readers.forEach(WatchesTest::next);
    // Who reads at once is back among those who wait while the others are still told.
    var told = readers.stream().map(_ -> new ConcurrentLinkedQueue<String>()).toList();
    for (int i = 0; i < 50; i++) {
      readAll(readers.get(i), told.get(i));
    }
    for (int i = 0; i < 50; i++) {
      String id = "c" + i + ".";
      answer = items("a", id);
      told.forEach(events ->
          await()
              .atMost(PATIENCE)
              .pollInterval(Duration.ofMillis(1))
              .until(() -> events.stream().anyMatch(event -> event.contains(id))));
    }
    readers.forEach(SinkQueueWithCancel::cancel);
    assertThat(told).allSatisfy(events -> assertThat(events).hasSize(50).doesNotHaveDuplicates());
  }

  private static void readAll(SinkQueueWithCancel<ByteString> reader, Collection<String> told) {
    reader
        .pull()
        .thenAccept(event ->
            event.ifPresent(bytes -> {
              told.add(bytes.utf8String());
              readAll(reader, told);
            }));
  }

  @Test
  void aHeartbeatComesWhileNothingChanges() {
    var reader = run(watches(10, 10, Duration.ofMillis(50)).watch("k", answer, this::look, never));
    next(reader);
    assertThat(next(reader)).isEqualTo(":\n\n");
    assertThat(next(reader)).isEqualTo(":\n\n");
    reader.cancel();
  }

  /// Neither a change nor a heartbeat is needed for it.
  @Test
  void aWatchEndsWhenItsReaderHasGoneAndOthersGoOn() {
    var watches = watches(10, 10, Duration.ofMinutes(1));
    var gone = new CompletableFuture<NotUsed>();
    var leaving = run(watches.watch("k", answer, this::look, gone));
    var staying = run(watches.watch("k", answer, this::look, never));
    next(leaving);
    next(staying);
    gone.complete(NotUsed.getInstance());
    assertThat(next(leaving)).isEqualTo("end");
    await().atMost(PATIENCE).until(() -> watches.running() == 1);
    answer = items("c");
    assertThat(next(staying)).contains("\"c\"");
    var late = run(watches.watch("k", answer, this::look, gone));
    next(late);
    assertThat(next(late)).isEqualTo("end");
    staying.cancel();
  }

  @Test
  void manyReadersOfOneAnswerShareOneLookAndTheLastToLeaveEndsIt() {
    var watches = watches(300, 10, Duration.ofMinutes(1));
    var readers = new ArrayList<SinkQueueWithCancel<ByteString>>();
    for (int i = 0; i < 300; i++) {
      var source = watches.watch("k", answer, this::look, never);
      assertThat(source).isNotNull();
      readers.add(run(source));
    }
    readers.forEach(WatchesTest::next);
    assertThat(watches.running()).isEqualTo(300);
    assertThat(watches.watch("k", answer, this::look, never)).as("one too many").isNull();
    int before = looks.get();
    answer = items("z");
    readers.forEach(reader -> assertThat(next(reader)).contains("\"z\""));
    assertThat(looks.get() - before).as("looks for all 300").isLessThan(150);
    readers.forEach(SinkQueueWithCancel::cancel);
    await().atMost(PATIENCE).until(() -> watches.running() == 0);
    await().atMost(PATIENCE).until(this::nobodyLooks);
    var again = run(watches.watch("k", answer, this::look, never));
    assertThat(next(again)).contains("event: page");
    again.cancel();
  }

  private boolean nobodyLooks() {
    int before = looks.get();
    return List.of(1, 2, 3, 4, 5).stream()
        .allMatch(_ -> {
          kit.createTestProbe().expectNoMessage(Duration.ofMillis(30));
          return looks.get() == before;
        });
  }

  @Test
  void noMoreAnswersThatDifferAreLookedAtThanMayBe() {
    var watches = watches(10, 2, Duration.ofMinutes(1));
    var one = run(watches.watch("1", answer, this::look, never));
    var two = run(watches.watch("2", answer, this::look, never));
    next(one);
    next(two);
    assertThat(watches.watch("3", answer, this::look, never)).isNull();
    assertThat(watches.watch("2", answer, this::look, never)).isNotNull();
    one.cancel();
    await().atMost(PATIENCE).until(() -> watches.watch("3", answer, this::look, never) != null);
    two.cancel();
  }

  @Test
  void aLookThatComesToNothingIsPassedOver() {
    var failing = new AtomicInteger(3);
    var reader =
        run(
            watches(10, 10, Duration.ofMinutes(1))
                .watch(
                    "k",
                    answer,
                    () -> {
                      if (failing.getAndDecrement() > 0) {
                        throw new IllegalStateException("a defect");
                      }
                      return look();
                    },
                    never));
    next(reader);
    answer = items("x");
    assertThat(next(reader)).contains("\"x\"");
    reader.cancel();
  }
}
