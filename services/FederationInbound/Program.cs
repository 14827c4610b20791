using Matrix.FederationInbound;
using Matrix.Web;
using Matrix.Web.Routing;

var builder = MatrixService.Create("federationinbound", args);
builder.AddFederationInbound();
var app = builder.Build();
app.UseMatrix();
app.MapFederationInbound();
return await app.RunMatrixAsync();
