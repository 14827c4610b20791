using Matrix.FederationSender;
using Matrix.Web;
using Matrix.Web.Routing;

var builder = MatrixService.Create("federationsender", args);
builder.AddFederationSender();
var app = builder.Build();
app.UseMatrix();
app.MapFederationSender();
return await app.RunMatrixAsync();
