using System.Net;
using System.Net.Mail;
using System.Net.Mime;
using System.Net.Sockets;
using System.Text;
using Matrix.Primitives;
using Matrix.ServiceDefaults;

namespace Matrix.ClientApi.Mail;

/// <summary>Mail through the SMTP server of the configuration, with STARTTLS where it is offered.</summary>
internal sealed partial class SmtpMailer(HomeserverConfig config, ILogger<SmtpMailer> log) : IMailer
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);
    private readonly EmailConfig? email = config.Accounts.Email;

    public bool IsEnabled => email is not null;

    public async Task SendAsync(MailMessageDraft draft, CancellationToken ct)
    {
        if (email is null) throw MatrixError.Unknown(400, "This homeserver does not send mail.").AsException();
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        timeout.CancelAfter(Timeout);
        try
        {
            using var message = Message(email, draft);
            using var client = new SmtpClient(email.Host, email.Port);
            client.EnableSsl = email.RequireTls || (email.EnableTls && await SmtpProbe.OffersTlsAsync(email.Host, email.Port, timeout.Token));
            if (email.User is { } user) client.Credentials = new NetworkCredential(user, email.Password);
            await client.SendMailAsync(message, timeout.Token);
        }
        catch (Exception e) when (e is SmtpException or IOException or SocketException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            LogNotSent(log, e);
            throw MatrixError.Unknown(500, "An error was encountered when sending the email").AsException();
        }
    }

    private MailMessage Message(EmailConfig settings, MailMessageDraft draft)
    {
        var message = new MailMessage
        {
            From = new MailAddress(settings.From.Replace("%(app)s", settings.AppName, StringComparison.Ordinal)),
            Subject = draft.Subject,
            SubjectEncoding = Encoding.UTF8,
            Body = draft.Text,
            BodyEncoding = Encoding.UTF8,
            // Links survive it whole; quoted-printable breaks lines, which readers of the source must undo.
            BodyTransferEncoding = TransferEncoding.Base64,
        };
        message.To.Add(new MailAddress(draft.To));
        message.Headers.Add("Message-ID", $"<{Guid.NewGuid():N}@{config.ServerName.Split(':')[0]}>");
        message.Headers.Add("Auto-Submitted", "auto-generated");
        var html = AlternateView.CreateAlternateViewFromString(draft.Html, Encoding.UTF8, MediaTypeNames.Text.Html);
        html.TransferEncoding = TransferEncoding.Base64;
        message.AlternateViews.Add(html);
        return message;
    }

    // The address is personal; the cause names the server at most.
    [LoggerMessage(4020, LogLevel.Error, "A mail could not be sent")]
    private static partial void LogNotSent(ILogger log, Exception e);
}
