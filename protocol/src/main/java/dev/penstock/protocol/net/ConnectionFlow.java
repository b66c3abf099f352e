package dev.penstock.protocol.net;

import org.apache.pekko.stream.Attributes;
import org.apache.pekko.stream.FlowShape;
import org.apache.pekko.stream.Inlet;
import org.apache.pekko.stream.Outlet;
import org.apache.pekko.stream.stage.AsyncCallback;
import org.apache.pekko.stream.stage.GraphStage;
import org.apache.pekko.stream.stage.GraphStageLogic;
import org.apache.pekko.stream.stage.InHandler;
import org.apache.pekko.stream.stage.OutHandler;
import org.jspecify.annotations.Nullable;

/// The stage behind [Connection#flow]. Carries messages and the three ways of ending (end, reset,
/// detach); decides nothing.
final class ConnectionFlow<T> extends GraphStage<FlowShape<T, T>> {
  private final Connection<T> connection;
  private final Inlet<T> in = Inlet.create("Connection.in");
  private final Outlet<T> out = Outlet.create("Connection.out");
  private final FlowShape<T, T> shape = FlowShape.of(in, out);

  ConnectionFlow(Connection<T> connection) {
    this.connection = connection;
  }

  @Override
  public FlowShape<T, T> shape() {
    return shape;
  }

  @Override
  public GraphStageLogic createLogic(Attributes attributes) {
    return new Pump();
  }

  private final class Pump extends GraphStageLogic implements InHandler, OutHandler, Runnable {
    private final AsyncCallback<Pump> changed = createAsyncCallback(Pump::react);
    private boolean changePending;
    private boolean finished;
    private boolean released;

    Pump() {
      super(shape);
      setHandler(in, this);
      setHandler(out, this);
    }

    @Override
    public void preStart() {
      setKeepGoing(true);
      connection.attach(this);
      react();
    }

    /// The connection changed: look at it from inside the graph, once for all changes of this turn.
    @Override
    public void run() {
      if (!changePending) {
        changePending = true;
        changed.invoke(this);
      }
    }

    private void react() {
      changePending = false;
      RuntimeException failure = connection.failure();
      if (failure != null) {
        // After a violation the connection closes itself, so that the peer can read why.
        if (failure instanceof WebSocketViolation) {
          release();
        } else {
          cut();
        }
        failStage(failure);
        return;
      }
      if (isAvailable(out)) {
        onPull();
      } else if (connection.atEnd() && !isClosed(out)) {
        complete(out);
      }
      pullWhenWritable();
      completeWhenBothEnded();
    }

    private void pullWhenWritable() {
      if (!isClosed(in) && !hasBeenPulled(in) && connection.writable()) {
        pull(in);
      }
    }

    @Override
    public void onPush() {
      connection.write(grab(in));
      pullWhenWritable();
    }

    @Override
    public void onPull() {
      T message = connection.poll();
      if (message != null) {
        push(out, message);
      } else if (connection.atEnd()) {
        complete(out);
        completeWhenBothEnded();
      } else {
        connection.requestRead();
      }
    }

    @Override
    public void onUpstreamFinish() {
      connection.finish(() -> {
        finished = true;
        run();
      });
    }

    @Override
    public void onUpstreamFailure(@Nullable Throwable cause) {
      if (cause instanceof Detach) {
        release();
        completeStage();
      } else {
        cut();
        failStage(cause);
      }
    }

    @Override
    public void onDownstreamFinish(@Nullable Throwable cause) {
      if (cause instanceof Detach) {
        release();
        completeStage();
      } else {
        cut();
        failStage(cause);
      }
    }

    private void completeWhenBothEnded() {
      if (finished && isClosed(out) && !released) {
        release();
        connection.close();
        completeStage();
      }
    }

    private void release() {
      released = true;
      connection.detach();
    }

    private void cut() {
      release();
      connection.reset();
    }

    @Override
    public void postStop() {
      if (!released) {
        cut();
      }
    }
  }
}
