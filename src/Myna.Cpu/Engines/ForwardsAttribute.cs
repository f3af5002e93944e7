namespace Myna.Cpu.Engines;

/// <summary>Interface members that the struct lacks are written by the generator, as calls of a field's methods of the same name and parameters.</summary>
/// <param name="name">The field's name.</param>
[AttributeUsage(AttributeTargets.Struct)]
internal sealed class ForwardsAttribute(string name) : Attribute
{
    /// <summary>The field's name.</summary>
    public string Name => name;
}
