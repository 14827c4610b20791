using System.Text.Json;
using Matrix.ClientApi.Pages;
using Matrix.ClientApi.Uia;
using Matrix.Primitives;
using Matrix.Storage.Accounts;

namespace Matrix.ClientApi.OAuth;

/// <summary>
/// Who came in through the OAuth 2.0 API agrees on our account page; the client then comes with its session. Spec: client-server-api/#oauth-authentication
/// </summary>
internal class OAuthStage(OAuthAddresses addresses) : IUiaPage
{
    public const string Name = "m.oauth";
    /// <summary>The operation that it guards, the only one that the specification has.</summary>
    public const string Operation = "device_signing";
    public static readonly IReadOnlyList<UiaFlow> Flows = [new UiaFlow(Name), new UiaFlow(UnstableOAuthStage.Unstable)];

    public virtual string Type => Name;

    /// <summary>Nothing that a client sends proves it: the page does.</summary>
    public ValueTask<UiaVerdict> CheckAsync(UiaProof proof, CancellationToken ct) => new(NotAgreed);

    public bool WriteParams(Utf8JsonWriter writer, string session)
    {
        writer.WriteString("url"u8, PageOf(session));
        return true;
    }

    /// <summary>Clients that do not know the stage send the user here: the page is the same.</summary>
    public ValueTask<IResult> ShowAsync(UiaPageRequest request, string? complaint, CancellationToken ct)
    {
        addresses.RequireEnabled();
        return new(new Found(PageOf(request.Session)));
    }

    public ValueTask<UiaVerdict?> SubmitAsync(UiaPageRequest request, FormBody form, CancellationToken ct) => new(NotAgreed);

    private static MatrixError NotAgreed => MatrixError.Forbidden("Agree on the page of your account first.");

    private string PageOf(string session) => addresses.Of($"account?action={AccountPages.ResetKeys}&session={Uri.EscapeDataString(session)}");

    /// <summary>The user has agreed; false: the session is not his, or is for something else, or over.</summary>
    public static async Task<bool> CompleteAsync(UiaSessionStore sessions, string session, string userId, CancellationToken ct)
    {
        if (await sessions.FindAsync(session, ct) is not { } found || found.Operation != $"{userId} {Operation}") return false;
        await sessions.CompleteAsync(session, UnstableOAuthStage.Unstable, null, ct);
        return await sessions.CompleteAsync(session, Name, null, ct) is not null;
    }
}

/// <summary>MSC4312 before it was in the specification: what clients know that were made then.</summary>
internal sealed class UnstableOAuthStage(OAuthAddresses addresses) : OAuthStage(addresses)
{
    public const string Unstable = "org.matrix.cross_signing_reset";
    public override string Type => Unstable;
}
