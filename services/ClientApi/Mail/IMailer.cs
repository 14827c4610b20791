namespace Matrix.ClientApi.Mail;

/// <param name="To">An address of one mailbox.</param>
internal sealed record MailMessageDraft(string To, string Subject, string Text, string Html);

/// <summary>Sends mail.</summary>
internal interface IMailer
{
    /// <summary>False: no mail server is configured.</summary>
    bool IsEnabled { get; }

    /// <summary>Returns once the mail server has taken the mail; M_UNKNOWN (500) when it did not.</summary>
    Task SendAsync(MailMessageDraft draft, CancellationToken ct);
}
