namespace Myna.Machines.Tests.Support;

/// <summary>As <see cref="FactIfToolAttribute"/>, for a theory.</summary>
public sealed class TheoryIfToolAttribute : TheoryAttribute
{
    public TheoryIfToolAttribute(string tool) => Skip = new FactIfToolAttribute(tool).Skip;
}
