using Aspire.Hosting.Dashboard;

namespace Matrix.AppHostTests.Running;

public class ProtoTests
{
    /// <summary>Example of the encoding guide: field 1 with 150, field 2 with "testing", a message in field 3.</summary>
    [Fact]
    public void Messages_are_encoded_as_documented()
    {
        var message = new ProtoWriter();
        message.Number(1, 150);
        message.Text(2, "testing");
        message.Message(3, m => m.Number(1, 150));
        message.Text(4, null);
        Assert.Equal("089601120774657374696E671A03089601", Convert.ToHexString(message.Written.Span));
    }

    [Fact]
    public void Times_have_seconds_and_nanoseconds()
    {
        var message = new ProtoWriter();
        message.Time(6, DateTimeOffset.FromUnixTimeMilliseconds(1500));
        message.Time(7, null);
        Assert.Equal("32" + "08" + "0801" + "1080CAB5EE01", Convert.ToHexString(message.Written.Span));
    }

    [Fact]
    public void Readers_see_numbers_and_texts_and_step_over_the_rest()
    {
        var message = new ProtoWriter();
        message.Double(9, 1.5);
        message.Text(1, "sync-1");
        message.Flag(2, true);
        var reader = new ProtoReader(message.Written.Span);
        Assert.True(reader.Read());
        Assert.True(reader.Read());
        Assert.Equal((1, "sync-1"), (reader.Field, reader.Text));
        Assert.True(reader.Read());
        Assert.Equal((2, 1ul), (reader.Field, reader.Number));
        Assert.False(reader.Read());
    }
}
