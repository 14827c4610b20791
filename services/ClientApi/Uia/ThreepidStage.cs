using System.Text.Json;
using Matrix.ClientApi.Account;
using Matrix.ClientApi.ThirdPartyIds;
using Matrix.Primitives;
using Matrix.Storage.Accounts;
using Matrix.Web.Json;

namespace Matrix.ClientApi.Uia;

/// <summary>Somebody has proved an address. Spec: client-server-api/#email-based-identity--homeserver, #phone-numbermsisdn-based-identity--homeserver</summary>
internal abstract class ThreepidStage(ThreepidProofs proofs, ThreepidRules rules) : IUiaStage
{
    public abstract string Type { get; }
    protected abstract string Medium { get; }

    public async ValueTask<UiaVerdict> CheckAsync(UiaProof proof, CancellationToken ct)
    {
        var credentials = proof.Auth.ObjectOrNull("threepid_creds") ?? proof.Auth.ObjectOrNull("threepidCreds");
        if (credentials is null) return MatrixError.MissingParam("Missing param threepid_creds");
        var purpose = proof.Operation == PasswordResets.Operation ? ProofPurpose.Reset : ProofPurpose.Register;
        if (await proofs.FindAsync(credentials.Value, Medium, [purpose], ct) is not { } proved)
            return MatrixError.Custom(401, "M_UNAUTHORIZED", "The address has not been validated");
        if (purpose == ProofPurpose.Register) rules.Check(proved.Medium, proved.Address);
        return new UiaVerdict(null, $$"""{"address":"{{JsonEncodedText.Encode(proved.Address)}}","validated_at":{{proved.ValidatedTsMs}}}""");
    }

    /// <summary>The addresses that were proved on the way.</summary>
    public static IEnumerable<ProvedAddress> AddressesOf(UiaOutcome outcome)
    {
        foreach (var (stage, medium) in ((string, string)[])[(EmailStage.Name, Threepids.Email), (PhoneStage.Name, Threepids.Phone)])
            if (outcome.Result(stage) is { } json) yield return Read(medium, json);
    }

    private static ProvedAddress Read(string medium, string json)
    {
        using var document = JsonDocument.Parse(json);
        return new ProvedAddress(medium, document.RootElement.GetProperty("address").GetString()!, document.RootElement.GetProperty("validated_at").GetInt64());
    }
}

internal sealed class EmailStage(ThreepidProofs proofs, ThreepidRules rules) : ThreepidStage(proofs, rules)
{
    public const string Name = "m.login.email.identity";
    public override string Type => Name;
    protected override string Medium => Threepids.Email;
}

internal sealed class PhoneStage(ThreepidProofs proofs, ThreepidRules rules) : ThreepidStage(proofs, rules)
{
    public const string Name = "m.login.msisdn";
    public override string Type => Name;
    protected override string Medium => Threepids.Phone;
}
