using Matrix.ClientApi;
using Matrix.Web;
using Matrix.Web.Routing;

var builder = MatrixService.Create("clientapi", args);
builder.AddClientApi();
var app = builder.Build();
app.UseMatrix();
app.MapClientApi();
return await app.RunMatrixAsync();
