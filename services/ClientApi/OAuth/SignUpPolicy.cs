using Matrix.ClientApi.Account;
using Matrix.ClientApi.Uia;
using Matrix.ServiceDefaults;

namespace Matrix.ClientApi.OAuth;

/// <summary>Whether accounts can be made on our sign-up page: what registration asks for must be something that the page can ask.</summary>
internal sealed class SignUpPolicy(RegistrationFlows flows, HomeserverConfig config)
{
    private readonly UiaFlow? flow = flows.All.FirstOrDefault(f => f.Stages.All(s => s is DummyStage.Name or RegistrationTokenStage.Name or TermsStage.Name));

    public bool IsOpen => config.EnableRegistration && flow is not null;
    public bool NeedsToken => flow?.Stages.Contains(RegistrationTokenStage.Name) ?? false;
    /// <summary>Null: nothing to agree to.</summary>
    public ConsentConfig? Terms => flow?.Stages.Contains(TermsStage.Name) ?? false ? config.Accounts.Consent : null;
}
