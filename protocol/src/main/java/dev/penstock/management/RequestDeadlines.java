package dev.penstock.management;

import dev.penstock.management.api.Api;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.apache.pekko.NotUsed;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.stream.Attributes;
import org.apache.pekko.stream.BidiShape;
import org.apache.pekko.stream.Inlet;
import org.apache.pekko.stream.Outlet;
import org.apache.pekko.stream.javadsl.Flow;
import org.apache.pekko.stream.stage.AbstractInHandler;
import org.apache.pekko.stream.stage.AbstractOutHandler;
import org.apache.pekko.stream.stage.AsyncCallback;
import org.apache.pekko.stream.stage.GraphStage;
import org.apache.pekko.stream.stage.GraphStageLogic;
import org.apache.pekko.stream.stage.TimerGraphStageLogic;
import org.apache.pekko.util.ByteString;

/// Ends a connection on which no whole request head comes in time, however many bytes of one do:
/// the server's own limit is one of silence, which a byte now and then keeps away for ever. While a
/// request is being answered no time runs, so that a watch lasts as long as it wants to. Between
/// the HTTP server and who answers; one for each connection.
///
/// Every request has [Api#GONE] with it, so that a watch can end when nobody is there any more: the
/// server itself finds out about that when it next has something to tell.
final class RequestDeadlines
    extends GraphStage<BidiShape<HttpRequest, HttpRequest, HttpResponse, HttpResponse>> {
  /// How long is waited.
  ///
  /// @param first for the first request, from the connection's begin, with the TLS handshake
  /// @param next for another one, from the end of the latest answer
  /// @param body for all of a body that nobody wants to read
  record Waits(Duration first, Duration next, Duration body) {
    static Waits defaults() {
      return new Waits(Duration.ofSeconds(15), Duration.ofSeconds(60), Duration.ofSeconds(20));
    }
  }

  private static final String TIMER = "request";

  private final Waits waits;
  private final Runnable late;
  private final Inlet<HttpRequest> requestIn = Inlet.create("requestIn");
  private final Outlet<HttpRequest> requestOut = Outlet.create("requestOut");
  private final Inlet<HttpResponse> responseIn = Inlet.create("responseIn");
  private final Outlet<HttpResponse> responseOut = Outlet.create("responseOut");

  /// @param late told of each connection on which not even one request came in time; any thread
  RequestDeadlines(Waits waits, Runnable late) {
    this.waits = waits;
    this.late = late;
  }

  @Override
  public BidiShape<HttpRequest, HttpRequest, HttpResponse, HttpResponse> shape() {
    return BidiShape.of(requestIn, requestOut, responseIn, responseOut);
  }

  @Override
  public GraphStageLogic createLogic(Attributes inheritedAttributes) {
    return new Logic();
  }

  private final class Logic extends TimerGraphStageLogic {
    private final AsyncCallback<NotUsed> told = createAsyncCallback(_ -> answered());
    private final CompletableFuture<NotUsed> gone = new CompletableFuture<>();
    private boolean asked;
    private int open;

    Logic() {
      super(shape());
      setHandler(
          requestIn,
          new AbstractInHandler() {
            @Override
            public void onPush() {
              asked = true;
              open++;
              cancelTimer(TIMER);
              push(requestOut, grab(requestIn).addAttribute(Api.GONE, gone));
            }

            @Override
            public void onUpstreamFinish() {
              gone.complete(NotUsed.getInstance());
              complete(requestOut);
            }
          });
      setHandler(
          requestOut,
          new AbstractOutHandler() {
            @Override
            public void onPull() {
              pull(requestIn);
            }

            @Override
            public void onDownstreamFinish(Throwable cause) {
              cancel(requestIn, cause);
            }
          });
      setHandler(
          responseIn,
          new AbstractInHandler() {
            @Override
            public void onPush() {
              push(responseOut, watched(grab(responseIn)));
            }

            @Override
            public void onUpstreamFinish() {
              complete(responseOut);
            }
          });
      setHandler(
          responseOut,
          new AbstractOutHandler() {
            @Override
            public void onPull() {
              pull(responseIn);
            }

            @Override
            public void onDownstreamFinish(Throwable cause) {
              cancel(responseIn, cause);
            }
          });
    }

    @Override
    public void preStart() {
      scheduleOnce(TIMER, waits.first());
    }

    @Override
    public void postStop() {
      gone.complete(NotUsed.getInstance());
    }

    private HttpResponse watched(HttpResponse response) {
      if (response.entity().isStrict()) {
        answered();
        return response;
      }
      return response.transformEntityDataBytes(
          Flow.of(ByteString.class)
              .watchTermination((_, ended) -> {
                ended.whenComplete((_, _) -> told.invoke(NotUsed.getInstance()));
                return NotUsed.getInstance();
              }));
    }

    private void answered() {
      open--;
      if (open == 0) {
        scheduleOnce(TIMER, waits.next());
      }
    }

    @Override
    public void onTimer(Object timer) {
      if (!asked) {
        late.run();
      }
      completeStage();
    }
  }
}
