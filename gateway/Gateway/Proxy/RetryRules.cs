using Matrix.Gateway.Routing;
using Matrix.ServiceDefaults.Edge;
using Yarp.ReverseProxy.Forwarder;

namespace Matrix.Gateway.Proxy;

internal static class RetryRules
{
    /// <summary>Bodies up to this size are kept for a second attempt; an event has at most 64 KiB.</summary>
    public const int KeptBodyBytes = 1024 * 1024;

    /// <summary>The request was never delivered: any method may be sent elsewhere.</summary>
    public static bool NeverReached(Exception? e) => e switch
    {
        HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError } => true,
        // SocketsHttpHandler's ConnectTimeout
        OperationCanceledException { InnerException: TimeoutException } => true,
        _ => false,
    };

    /// <summary>What is wrong with the body that the client sends, if that is what failed.</summary>
    public static EdgeError? BodyFault(Exception? e) => e switch
    {
        BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } => EdgeError.TooLarge,
        BadHttpRequestException => EdgeError.BadBody,
        AggregateException many => many.InnerExceptions.Select(BodyFault).FirstOrDefault(f => f is not null),
        { InnerException: { } inner } => BodyFault(inner),
        _ => null,
    };

    /// <summary>
    /// The request went out and no answer came back. Methods that HTTP calls idempotent may be repeated (sends are, by their transaction id), and the
    /// POSTs of classes that say so.
    /// </summary>
    public static bool MayRepeat(string method, RouteClass routeClass) =>
        routeClass.Repeatable || method is "GET" or "HEAD" or "PUT" or "DELETE" or "OPTIONS";

    public static bool NoAnswerCame(ForwarderError error) => error is ForwarderError.Request or ForwarderError.RequestBodyDestination;
}
