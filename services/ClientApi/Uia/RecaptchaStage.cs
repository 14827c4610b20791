using System.Text.Json;
using Matrix.ClientApi.Pages;
using Matrix.FederationClient.Outbound;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Web.Json;

namespace Matrix.ClientApi.Uia;

/// <summary>Somebody is no robot, says a reCAPTCHA. Spec: client-server-api/#google-recaptcha</summary>
internal sealed partial class RecaptchaStage(HomeserverConfig config, Pages.Pages pages, ILogger<RecaptchaStage> log) : IUiaPage, IDisposable
{
    public const string Name = "m.login.recaptcha";
    private const int MaxResponse = 16 * 1024;
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(20);
    private readonly CaptchaConfig captcha = config.Accounts.Captcha;
    // The administrator chose the address: it is not guarded.
    private readonly HttpMessageInvoker http = new(GuardedHttp.CreateHandler(new IpRangeList([]), config.OutboundVerifyCertificates, []));

    public string Type => Name;

    public ValueTask<UiaVerdict> CheckAsync(UiaProof proof, CancellationToken ct) => VerifyAsync(proof.Auth.StringOrNull("response"), proof.ClientAddress, ct);

    public bool WriteParams(Utf8JsonWriter w, string session)
    {
        if (captcha.PublicKey is not { } key) return false;
        w.WriteString("public_key"u8, key);
        return true;
    }

    public ValueTask<IResult> ShowAsync(UiaPageRequest request, string? complaint, CancellationToken ct) => 
        new(pages.Show("recaptcha.html", request.Values(complaint, ("sitekey", captcha.PublicKey ?? ""))));

    public async ValueTask<UiaVerdict?> SubmitAsync(UiaPageRequest request, FormBody form, CancellationToken ct) =>
        await VerifyAsync(form["g-recaptcha-response"], request.ClientAddress, ct);

    private async ValueTask<UiaVerdict> VerifyAsync(string? response, string clientAddress, CancellationToken ct)
    {
        if (captcha.PrivateKey is not { } secret) return MatrixError.Unrecognized("Unknown authentication stage.");
        if (string.IsNullOrEmpty(response) || response.Length > MaxResponse) return MatrixError.Custom(400, "M_CAPTCHA_NEEDED", "Captcha response is required");
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        timeout.CancelAfter(Timeout);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, captcha.VerifyAddress);
            request.Content = new FormUrlEncodedContent([new("secret", secret), new("response", response), new("remoteip", clientAddress)]);
            using var answer = await http.SendAsync(request, timeout.Token);
            if (await GuardedHttp.ReadBoundedAsync(answer.Content, 64 * 1024, timeout.Token) is { } bytes && new JsonBody(bytes).AsObject().BoolOrNull("success") is true)
                return UiaVerdict.Proved;
        }
        catch (Exception e) when (e is HttpRequestException or IOException or MatrixException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            LogUnverified(log, e);
        }
        return MatrixError.Custom(401, "M_CAPTCHA_INVALID", "Captcha authentication failed");
    }

    public void Dispose() => http.Dispose();

    [LoggerMessage(4022, LogLevel.Warning, "A captcha could not be verified")]
    private static partial void LogUnverified(ILogger log, Exception e);
}
