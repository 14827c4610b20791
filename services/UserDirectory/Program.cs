using Matrix.UserDirectory;
using Matrix.Web;
using Matrix.Web.Routing;

var builder = MatrixService.Create("userdirectory", args);
builder.AddUserDirectory();
var app = builder.Build();
app.UseMatrix();
app.MapUserDirectory();
return await app.RunMatrixAsync();
