package dev.penstock.protocol.net;

import static dev.penstock.protocol.net.TestNode.await;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import org.apache.pekko.NotUsed;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.stream.OverflowStrategy;
import org.apache.pekko.stream.QueueOfferResult;
import org.apache.pekko.stream.javadsl.Flow;
import org.apache.pekko.stream.javadsl.Keep;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.SinkQueueWithCancel;
import org.apache.pekko.stream.javadsl.Source;
import org.apache.pekko.stream.javadsl.SourceQueueWithComplete;
import org.jspecify.annotations.Nullable;

/// A flow held by hand: what goes in and what is taken out, one element at a time. At most one
/// element is taken out before it is asked for.
public final class Hands<T> {
  private final SourceQueueWithComplete<T> in;
  private final SinkQueueWithCancel<T> out;

  private Hands(SourceQueueWithComplete<T> in, SinkQueueWithCancel<T> out) {
    this.in = in;
    this.out = out;
  }

  public static <T> Hands<T> on(Flow<T, T, NotUsed> flow, Loop loop, ActorSystem<?> system) {
    var ends =
        Source.<T>queue(1, OverflowStrategy.backpressure())
            .via(flow)
            .toMat(Sink.queue(1), Keep.both())
            .withAttributes(loop.attributes())
            .run(system);
    return new Hands<>(ends.first(), ends.second());
  }

  /// Puts one element in; returns when there was room for it.
  public void put(T element) {
    await(offer(element));
  }

  public CompletionStage<QueueOfferResult> offer(T element) {
    return in.offer(element);
  }

  /// The next element; null at the end.
  public @Nullable T take() {
    return await(out.pull()).orElse(null);
  }

  /// The next element, or the end, or the failure, when it comes.
  public CompletionStage<java.util.Optional<T>> taking() {
    return out.pull();
  }

  /// Takes all elements up to the end and adds up what `measure` says of them.
  public long drain(Function<T, Integer> measure) {
    long sum = 0;
    for (T next = take(); next != null; next = take()) {
      sum += measure.apply(next);
    }
    return sum;
  }

  public void finish() {
    in.complete();
  }

  public void fail(Throwable cause) {
    in.fail(cause);
  }

  public void cancel() {
    out.cancel();
  }

  /// Done when the flow takes nothing more; fails when it failed.
  public CompletionStage<?> ended() {
    return in.watchCompletion();
  }

  public static ByteBuffer bytes(String text) {
    return ByteBuffer.wrap(text.getBytes(UTF_8));
  }

  public static String text(@Nullable ByteBuffer bytes) {
    return bytes == null ? "(end)" : UTF_8.decode(bytes.duplicate()).toString();
  }

  /// Takes elements until they are `length` bytes or the end came.
  public static String takeText(Hands<ByteBuffer> hands, int length) {
    var all = new StringBuilder();
    while (all.length() < length) {
      ByteBuffer next = hands.take();
      if (next == null) {
        return all + "(end)";
      }
      all.append(text(next));
    }
    return all.toString();
  }
}
