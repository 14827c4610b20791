using System.Buffers;
using System.Net.Http.Headers;
using System.Text.Json;
using Matrix.ClientApi.Account;
using Matrix.FederationClient.Outbound;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Web.Json;

namespace Matrix.ClientApi.ThirdPartyIds;

/// <summary>
/// The server that sends text messages for us, an identity server in its first version. Synapse: account_threepid_delegates.msisdn. The administrator chose it, so
/// its address is not guarded.
/// </summary>
internal sealed class MsisdnDelegate(HomeserverConfig config) : IDisposable
{
    private const int MaxAnswer = 64 * 1024;
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(20);
    private readonly string? address = config.Accounts.MsisdnDelegate;
    private readonly HttpMessageInvoker http = new(GuardedHttp.CreateHandler(new IpRangeList([]), config.OutboundVerifyCertificates, []));

    public bool IsEnabled => address is not null;

    /// <summary>Asks for a text message; what the delegate answers, which has <c>sid</c>.</summary>
    public async Task<JsonElement> RequestAsync(string country, string number, string secret, long attempt, string? nextLink, CancellationToken ct)
    {
        var answer = await PostAsync("/_matrix/identity/api/v1/validate/msisdn/requestToken", w =>
        {
            w.WriteString("country", country);
            w.WriteString("phone_number", number);
            w.WriteString("client_secret", secret);
            w.WriteNumber("send_attempt", attempt);
            if (nextLink is not null) w.WriteString("next_link", nextLink);
        }, ct);
        return answer is { } found && found.StringOrNull("sid") is not null ? found : throw MatrixError.Unknown(400, "The telephone number could not be verified.").AsException();
    }

    /// <summary>Passes the code of a message on; <see cref="FindValidatedAsync"/> says whether it was right.</summary>
    public Task SubmitAsync(string sid, string secret, string code, CancellationToken ct) => PostAsync("/_matrix/identity/api/v1/validate/msisdn/submitToken", w =>
    {
        w.WriteString("sid", sid);
        w.WriteString("client_secret", secret);
        w.WriteString("token", code);
    }, ct);

    /// <summary>Null: nothing is proved.</summary>
    public async Task<ProvedAddress?> FindValidatedAsync(string sid, string secret, CancellationToken ct)
    {
        if (!IsEnabled) return null;
        var target = $"/_matrix/identity/api/v1/3pid/getValidated3pid?sid={Uri.EscapeDataString(sid)}&client_secret={Uri.EscapeDataString(secret)}";
        if (await SendAsync(HttpMethod.Get, target, null, ct) is not { } answer || answer.StringOrNull("medium") != Threepids.Phone) return null;
        return answer.StringOrNull("address") is { } number && Threepids.Canonical(Threepids.Phone, number) is { } canonical && answer.IntOrNull("validated_at") is { } at
            ? new ProvedAddress(Threepids.Phone, canonical, at) : null;
    }

    private async Task<JsonElement?> PostAsync(string target, Action<Utf8JsonWriter> members, CancellationToken ct)
    {
        var body = new ArrayBufferWriter<byte>();
        using (var w = new Utf8JsonWriter(body))
        {
            w.WriteStartObject();
            members(w);
            w.WriteEndObject();
        }
        return await SendAsync(HttpMethod.Post, target, body.WrittenMemory, ct);
    }

    /// <summary>Null: an answer that is no success.</summary>
    private async Task<JsonElement?> SendAsync(HttpMethod method, string target, ReadOnlyMemory<byte>? body, CancellationToken ct)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        timeout.CancelAfter(Timeout);
        try
        {
            using var request = new HttpRequestMessage(method, address + target);
            if (body is { } json) request.Content = new ReadOnlyMemoryContent(json) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
            using var response = await http.SendAsync(request, timeout.Token);
            if (!response.IsSuccessStatusCode || await GuardedHttp.ReadBoundedAsync(response.Content, MaxAnswer, timeout.Token) is not { } bytes) return null;
            return new JsonBody(bytes).AsObject();
        }
        catch (Exception e) when (e is HttpRequestException or IOException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            throw MatrixError.Unknown(500, "Error contacting the server that sends text messages").AsException();
        }
    }

    public void Dispose() => http.Dispose();
}
