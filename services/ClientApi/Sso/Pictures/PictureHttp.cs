using System.Net;
using Matrix.FederationClient.Outbound;
using Matrix.ServiceDefaults;
using Matrix.Web.Media;

namespace Matrix.ClientApi.Sso.Pictures;

/// <summary>A picture, or why there is none.</summary>
internal sealed record PictureAnswer(byte[] Content, string ContentType, string? Fault)
{
    public static PictureAnswer Failed(string why) => new([], "", why);
}

/// <summary>
/// Fetches pictures of users. The address is a claim, which at many providers the user chooses: unlike requests to the provider these are guarded, each
/// redirect anew, and bounded in size and in time altogether.
/// </summary>
internal sealed class PictureHttp(HomeserverConfig config) : IDisposable
{
    private const int MaxRedirects = 5;
    // The browser of the user waits meanwhile.
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);
    private readonly ProfileConfig rules = config.Accounts.Profiles;
    private readonly HttpMessageInvoker http = new(GuardedHttp.CreateHandler(
        new IpRangeList(config.IpRangeBlacklist, config.IpRangeWhitelist), config.OutboundVerifyCertificates, []));

    public async Task<PictureAnswer> GetAsync(string address, CancellationToken ct)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        timeout.CancelAfter(Timeout);
        try
        {
            if (!Uri.TryCreate(address, UriKind.Absolute, out var url)) return PictureAnswer.Failed("the address is none");
            for (var redirects = 0; redirects <= MaxRedirects; redirects++)
            {
                if (url.Scheme is not ("http" or "https")) return PictureAnswer.Failed("the address is not of http or https");
                using var request = new HttpRequestMessage(HttpMethod.Get, url);
                request.Headers.UserAgent.ParseAdd("Armada");
                request.Headers.Accept.ParseAdd("image/*");
                using var response = await http.SendAsync(request, timeout.Token);
                if (response.StatusCode == HttpStatusCode.OK) return await ReadAsync(response.Content, timeout.Token);
                if (!IsRedirect(response.StatusCode) || response.Headers.Location is not { } location) return PictureAnswer.Failed($"status {(int)response.StatusCode}");
                url = new Uri(url, location);
            }
            return PictureAnswer.Failed("too many redirects");
        }
        catch (Exception e) when (e is HttpRequestException or IOException or UriFormatException)
        {
            return PictureAnswer.Failed(e.Message);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return PictureAnswer.Failed("no answer in time");
        }
    }

    private async Task<PictureAnswer> ReadAsync(HttpContent body, CancellationToken ct)
    {
        var limit = (int)Math.Min(Math.Min(config.MaxUploadSize, rules.MaxAvatarSize ?? long.MaxValue), IMediaWriter.MaxBytes);
        if (await GuardedHttp.ReadBoundedAsync(body, limit, ct) is not { } content) return PictureAnswer.Failed($"longer than {limit} bytes");
        if (PictureTypes.Of(content) is not { } type) return PictureAnswer.Failed("neither PNG, JPEG, GIF nor WebP");
        return rules.AvatarTypes.Count == 0 || rules.AvatarTypes.Contains(type) ? new(content, type, null) : PictureAnswer.Failed($"{type} is not allowed for avatars");
    }

    private static bool IsRedirect(HttpStatusCode status) => (int)status is 301 or 302 or 303 or 307 or 308;

    public void Dispose() => http.Dispose();
}
