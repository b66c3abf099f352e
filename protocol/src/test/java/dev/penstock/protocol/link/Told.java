package dev.penstock.protocol.link;

import static dev.penstock.protocol.net.TestNode.PATIENCE;

import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.StreamHeader;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/// What one end of a link and its streams were told, kept for a test to look at.
final class Told implements LinkListener, StreamObserver {
  final BlockingQueue<ControlMessage> controls = new LinkedBlockingQueue<>();
  final BlockingQueue<Requested> requests = new LinkedBlockingQueue<>();
  final BlockingQueue<Refusal> refusals = new LinkedBlockingQueue<>();
  final BlockingQueue<String> silences = new LinkedBlockingQueue<>();
  final BlockingQueue<LinkEnd> ends = new LinkedBlockingQueue<>();
  final BlockingQueue<String> connected = new LinkedBlockingQueue<>();
  final BlockingQueue<StreamEnd> streamEnds = new LinkedBlockingQueue<>();

  record Requested(LinkStream stream, StreamHeader header) {}

  @Override
  public void control(ControlMessage message) {
    controls.add(message);
  }

  @Override
  public void requested(LinkStream stream, StreamHeader header) {
    requests.add(new Requested(stream, header));
  }

  @Override
  public void refused(Refusal refusal) {
    refusals.add(refusal);
  }

  @Override
  public void silent() {
    silences.add("silent");
  }

  @Override
  public void speaksAgain() {
    silences.add("speaks again");
  }

  @Override
  public void ended(LinkEnd end) {
    ends.add(end);
  }

  @Override
  public void connected() {
    connected.add("connected");
  }

  @Override
  public void ended(StreamEnd end) {
    streamEnds.add(end);
  }

  ControlMessage nextControl() {
    return next(controls);
  }

  Requested nextRequest() {
    return next(requests);
  }

  Refusal nextRefusal() {
    return next(refusals);
  }

  LinkEnd nextEnd() {
    return next(ends);
  }

  StreamEnd nextStreamEnd() {
    return next(streamEnds);
  }

  private static <T> T next(BlockingQueue<T> queue) {
    try {
      T next = queue.poll(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
      if (next == null) {
        throw new AssertionError("nothing came within " + PATIENCE);
      }
      return next;
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
