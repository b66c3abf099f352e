package dev.penstock.protocol.net;

import io.netty.channel.EventLoop;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.stream.ActorAttributes;
import org.apache.pekko.stream.Attributes;

/// One event loop: a thread that owns sockets, and at the same time the Pekko dispatcher of
/// everything that touches their bytes. Safe for use by several threads.
public final class Loop {
  private final int index;
  private final String dispatcher;
  private final EventLoop eventLoop;
  private final Attributes attributes;
  private final IdleWatch idleWatch = new IdleWatch(this);

  Loop(int index, String dispatcher, EventLoop eventLoop) {
    this.index = index;
    this.dispatcher = dispatcher;
    this.eventLoop = eventLoop;
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

  /// To be used on this loop only.
  IdleWatch idleWatch() {
    return idleWatch;
  }

  EventLoop eventLoop() {
    return eventLoop;
  }

  @Override
  public String toString() {
    return dispatcher;
  }
}
