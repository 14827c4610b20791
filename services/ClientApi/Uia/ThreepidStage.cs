using System.Text.Json;
using System.Text.Json.Serialization;
using Matrix.ClientApi.Account;
using Matrix.ClientApi.Pages;
using Matrix.ClientApi.ThirdPartyIds;
using Matrix.Primitives;
using Matrix.Storage.Accounts;
using Matrix.Web.Json;
using Matrix.Web.RateLimits;

namespace Matrix.ClientApi.Uia;

/// <summary>What the page of a stage has begun; it stands in the session.</summary>
internal sealed record BegunProof(string Address, string Secret, string Sid, long Attempt);

[JsonSerializable(typeof(BegunProof))]
internal sealed partial class BegunProofJson : JsonSerializerContext;

/// <summary>Somebody has proved an address. Spec: client-server-api/#email-based-identity--homeserver, #phone-numbermsisdn-based-identity--homeserver</summary>
internal abstract class ThreepidStage(ThreepidProofs proofs, ThreepidRules rules, RequestTokens tokens, UiaSessionStore sessions, RateLimiter limiter, Pages.Pages pages) : IUiaPage
{
    public abstract string Type { get; }
    protected abstract string Medium { get; }
    protected abstract string Template { get; }
    protected RequestTokens Tokens => tokens;
    protected ThreepidProofs Proofs => proofs;
    protected RateLimiter Limiter => limiter;

    public async ValueTask<UiaVerdict> CheckAsync(UiaProof proof, CancellationToken ct)
    {
        var credentials = proof.Auth.ObjectOrNull("threepid_creds") ?? proof.Auth.ObjectOrNull("threepidCreds");
        if (credentials is null) return MatrixError.MissingParam("Missing param threepid_creds");
        var purpose = PurposeOf(proof.Operation);
        return await proofs.FindAsync(credentials.Value, Medium, [purpose], ct) is { } proved
            ? Judge(proved, purpose) : MatrixError.Custom(401, "M_UNAUTHORIZED", "The address has not been validated");
    }

    protected static string PurposeOf(string operation) => operation == PasswordResets.Operation ? ProofPurpose.Reset : ProofPurpose.Register;

    private UiaVerdict Judge(ProvedAddress proved, string purpose)
    {
        if (purpose == ProofPurpose.Register) rules.Check(proved.Medium, proved.Address);
        return new UiaVerdict(null, $$"""{"address":"{{JsonEncodedText.Encode(proved.Address)}}","validated_at":{{proved.ValidatedTsMs}}}""");
    }

    public ValueTask<IResult> ShowAsync(UiaPageRequest request, string? complaint, CancellationToken ct)
    {
        tokens.Require(Medium, PurposeOf(request.Operation));
        return new(pages.Show(Template, request.Values(complaint, ("address", BegunIn(request)?.Address), ("typed", request.Form?["address"] ?? ""))));
    }

    public async ValueTask<UiaVerdict?> SubmitAsync(UiaPageRequest request, FormBody form, CancellationToken ct)
    {
        var begun = BegunIn(request);
        switch (form["step"])
        {
            case "send":
                if (form["address"]?.Trim() is not { Length: > 0 } address) return MatrixError.MissingParam("Enter your address.");
                await SendAsync(request, address, ThreepidProofs.NewSecret(), 1, ct);
                return null;
            case "again" when begun is not null:
                await SendAsync(request, begun.Address, begun.Secret, begun.Attempt + 1, ct);
                return null;
            case "other":
                await sessions.KeepAsync(request.Session, Type, null, ct);
                return null;
            default:
                if (begun is null) return MatrixError.MissingParam("Enter your address.");
                return await ConfirmAsync(request, begun, form, ct);
        }
    }

    /// <summary>The form says that it is done: whether it is.</summary>
    protected abstract ValueTask<UiaVerdict> ConfirmAsync(UiaPageRequest request, BegunProof begun, FormBody form, CancellationToken ct);

    /// <summary>Asks for a mail or a text message as a client would; the session of the proof.</summary>
    protected abstract Task<string> RequestAsync(string purpose, string address, string secret, long attempt, string returnPath, CancellationToken ct);

    /// <summary>Null: nothing is proved yet.</summary>
    protected async ValueTask<UiaVerdict?> FindAsync(UiaPageRequest request, BegunProof begun, CancellationToken ct)
    {
        var purpose = PurposeOf(request.Operation);
        if (await proofs.FindAsync(begun.Sid, begun.Secret, Medium, [purpose], ct) is not { } proved) return null;
        return Judge(proved, purpose);
    }

    public virtual ValueTask<UiaVerdict?> ReturnAsync(UiaPageRequest request, CancellationToken ct) => new((UiaVerdict?)null);

    protected static BegunProof? BegunIn(UiaPageRequest request) => request.Kept is { } json ? JsonSerializer.Deserialize(json, BegunProofJson.Default.BegunProof) : null;

    /// <summary>Pages take from the same buckets as the endpoints that clients ask: what <see cref="RequestTokens"/> takes, and that of the browser's address.</summary>
    private async Task SendAsync(UiaPageRequest request, string address, string secret, long attempt, CancellationToken ct)
    {
        await limiter.RequireAsync(RateLimitRules.ThirdPartyValidation, null, request.ClientAddress, ct);
        var sid = await RequestAsync(PurposeOf(request.Operation), address, secret, attempt, request.ReturnPath, ct);
        await sessions.KeepAsync(request.Session, Type, JsonSerializer.Serialize(new BegunProof(address, secret, sid, attempt), BegunProofJson.Default.BegunProof), ct);
    }

    /// <summary>The addresses that were proved on the way.</summary>
    public static IEnumerable<ProvedAddress> AddressesOf(IReadOnlyDictionary<string, string> results)
    {
        foreach (var (stage, medium) in ((string, string)[])[(EmailStage.Name, Threepids.Email), (PhoneStage.Name, Threepids.Phone)])
            if (results.GetValueOrDefault(stage) is { } json) yield return Read(medium, json);
    }

    private static ProvedAddress Read(string medium, string json)
    {
        using var document = JsonDocument.Parse(json);
        return new ProvedAddress(medium, document.RootElement.GetProperty("address").GetString()!, document.RootElement.GetProperty("validated_at").GetInt64());
    }
}
