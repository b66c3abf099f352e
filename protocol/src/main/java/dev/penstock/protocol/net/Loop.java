package dev.penstock.protocol.net;

import io.netty.channel.EventLoop;
import io.netty.util.concurrent.SingleThreadEventExecutor;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.apache.pekko.stream.ActorAttributes;
import org.apache.pekko.stream.ActorMaterializer;
import org.apache.pekko.stream.ActorMaterializerSettings;
import org.apache.pekko.stream.Attributes;
import org.apache.pekko.stream.Materializer;
import org.jspecify.annotations.Nullable;

/// One event loop: a thread that owns sockets, and at the same time the Pekko dispatcher of
/// everything that touches their bytes. Safe for use by several threads.
public final class Loop {
  private final int index;
  private final String dispatcher;
  private final EventLoop eventLoop;
  private final Attributes attributes;
  private final IdleWatch idleWatch = new IdleWatch(this);
  private final ReadMemory readMemory = new ReadMemory();
  private final @Nullable EpollInterest epoll;

  /// @param epoll what drives the loop's sockets, null where it is not epoll
  Loop(int index, String dispatcher, EventLoop eventLoop, @Nullable EpollInterest epoll) {
    this.index = index;
    this.dispatcher = dispatcher;
    this.eventLoop = eventLoop;
    this.epoll = epoll;
    this.attributes = ActorAttributes.dispatcher(dispatcher).and(Attributes.inputBuffer(1, 1));
  }

  /// Position among its [EventLoops], from 0.
  public int index() {
    return index;
  }

  /// The id under which the actor system knows this loop as a dispatcher.
  public String dispatcher() {
    return dispatcher;
  }

  /// What a graph must carry to run on this loop.
  public Attributes attributes() {
    return attributes;
  }

  /// For graphs that belong to an actor on this loop and end with it. Their interpreters and the
  /// actor that supervises them run on this loop too, so that to start and to end a graph wakes no
  /// other thread: with the supervisor on the default dispatcher, where the materializer of an
  /// actor has it otherwise, each did so several times.
  // Only the older way of making a materializer takes a dispatcher for the supervisor.
  @SuppressWarnings("deprecation")
  public Materializer materializer(ActorContext<?> owner) {
    var settings =
        ActorMaterializerSettings.create(Adapter.toClassic(owner.getSystem()))
            .withDispatcher(dispatcher);
    return ActorMaterializer.create(settings, Adapter.toClassic(owner));
  }

  /// Whether the caller is this loop's thread.
  public boolean inLoop() {
    return eventLoop.inEventLoop();
  }

  /// Runs `task` on this loop, after what is queued already.
  public void execute(Runnable task) {
    eventLoop.execute(task);
  }

  /// Runs `task` at once when the caller is on this loop, else queues it.
  public void run(Runnable task) {
    if (eventLoop.inEventLoop()) {
      task.run();
    } else {
      eventLoop.execute(task);
    }
  }

  /// Runs `task` on this loop after `delay`.
  public void schedule(Duration delay, Runnable task) {
    eventLoop.schedule(task, delay.toNanos(), TimeUnit.NANOSECONDS);
  }

  /// Tasks that wait for their turn.
  public int waiting() {
    return eventLoop instanceof SingleThreadEventExecutor executor ? executor.pendingTasks() : 0;
  }

  /// To be used on this loop only.
  IdleWatch idleWatch() {
    return idleWatch;
  }

  /// Where this loop's sockets read into. To be used on this loop only.
  public ReadMemory readMemory() {
    return readMemory;
  }

  @Nullable EpollInterest epoll() {
    return epoll;
  }

  EventLoop eventLoop() {
    return eventLoop;
  }

  @Override
  public String toString() {
    return dispatcher;
  }
}
