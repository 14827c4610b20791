using System.Text.Json;
using Matrix.ServiceDefaults.Templating;

namespace Matrix.ServiceTests.Sso;

public sealed class TemplateTests
{
    private static Dictionary<string, object?> Values(string json) => (Dictionary<string, object?>)TemplateValue.FromJson(JsonDocument.Parse(json).RootElement)!;

    [Theory]
    [InlineData("{{ user.name }}", "Ann")]
    [InlineData("{{ user['name'] }}", "Ann")]
    [InlineData("{{ user.email.split('@')[0] }}", "ann.b")]
    [InlineData("{{ user.email | localpart_from_email }}", "ann.b")]
    [InlineData("{{ user.name|lower }}{{ user.name.upper() }}", "annANN")]
    [InlineData("{{ user.missing }}", "")]
    [InlineData("{{ user.missing.deeper }}", "")]
    [InlineData("{{ user.missing | default('x') }}", "x")]
    [InlineData("{{ user.missing or user.name }}", "Ann")]
    [InlineData("{{ 'a' if user.admin else 'b' }}", "b")]
    [InlineData("{{ user.groups[-1] }}{{ user.groups | join('+') }}{{ user.groups|length }}", "twoone+two2")]
    [InlineData("{{ user.first + '.' + user.last }}{{ user.first ~ user.n }}", "A.BA7")]
    [InlineData("{% if 'one' in user.groups and not user.admin %}yes{% elif true %}no{% endif %}", "yes")]
    [InlineData("{% for g in user.groups %}{{ loop.index }}{{ g }}{% if not loop.last %},{% endif %}{% endfor %}", "1one,2two")]
    [InlineData("{% for g in user.missing %}x{% else %}none{% endfor %}", "none")]
    [InlineData("{% set x = user.name %}{{ x[0:2] }}", "An")]
    [InlineData("a {#- a comment -#} b", "ab")]
    [InlineData("{{ user.name is defined }} {{ user.missing is not defined }}", "True True")]
    [InlineData("{{ user.email.replace('.', '_') }}", "ann_b@mail_example")]
    [InlineData("{{ 'mxc://a.b:1/c#d' | mxc_to_http(24, 32) }}", "/_matrix/media/v3/thumbnail/a.b%3A1/c?width=24&height=32&method=crop")]
    [InlineData("{{ user.name | mxc_to_http(24, 24, 'scale') }}", "")]
    [InlineData("{{ user.n > 5 }} {{ user.n == 7 }} {{ user.name != 'Ann' }}", "True True False")]
    public void The_templates_of_synapses_settings_mean_what_they_mean_there(string template, string expected) => Assert.Equal(expected, Template.Parse(template).Render(
        Values("""{"user":{"name":"Ann","email":"ann.b@mail.example","admin":false,"groups":["one","two"],"first":"A","last":"B","n":7}}"""), encode: false));

    [Fact]
    public void Whatever_comes_from_outside_is_encoded()
    {
        var values = Values("""{"x":"<script>\"'&</script>","list":["<b>"]}""");
        foreach (var template in (string[])["{{ x }}", "<a href=\"{{ x }}\">", "{{ x | e }}", "{{ x|upper }}", "{{ 'a' ~ x }}", "{% for i in list %}{{ i }}{% endfor %}", "{{ list | join('<i>') }}"])
            Assert.DoesNotMatch("<(script|b|i)>|<SCRIPT|\"'", Template.Parse(template).Render(values));
        // "safe" is not offered: a template cannot let markup through.
        Assert.Throws<TemplateException>(() => Template.Parse("{{ x | safe }}"));
    }

    [Theory]
    [InlineData("{{ x")]
    [InlineData("{% if x %}")]
    [InlineData("{% endif %}")]
    [InlineData("{% nothing %}")]
    [InlineData("{{ x | nothing }}")]
    [InlineData("{{ x.__class__() }}")]
    [InlineData("{{ 'open }}")]
    [InlineData("{{ ; }}")]
    [InlineData("{% include 'x' %}")]
    public void What_cannot_be_understood_is_told(string template) => Assert.Throws<TemplateException>(() => Template.Parse(template));

    [Fact]
    public void Nesting_has_an_end()
    {
        Assert.Throws<TemplateException>(() => Template.Parse("{{ " + new string('(', 500) + "1" + new string(')', 500) + " }}"));
        Assert.Throws<TemplateException>(() => Template.Parse(string.Concat(Enumerable.Repeat("{% if x %}", 500))));
        Assert.Throws<TemplateException>(() => Template.Parse("{% include 'self' %}", "self", _ => "{% include 'self' %}"));
    }

    [Fact]
    public void A_template_extends_another()
    {
        const string parent = "<{% block a %}A{% endblock %}|{% block b %}B{% endblock %}>";
        var template = Template.Parse("{% extends 'base' %}{% block b %}{{ x }}{% endblock %}", "page", name => name == "base" ? parent : null);
        Assert.Equal("<A|1>", template.Render(Values("""{"x":1}""")));
        Assert.Equal(2, template.Sources.Count);
    }
}
