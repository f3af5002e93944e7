using Myna.Cpu.RiscV.Instructions;
using Myna.Machines.RiscV;

namespace Myna.Machines.Tests.RiscV;

public class IsaDescriptionTests
{
    /// <summary>What the hart decodes the guest can find in the device tree.</summary>
    [Fact]
    public void Every_extension_of_the_hart_is_described()
    {
        // Zca and Zcd are what C means together with D; the privileged instructions are no extension.
        string[] decoded = [.. Enum.GetNames<Extension>().Except(["Zca", "Zcd", "Privileged"]).Select(name => name.ToLowerInvariant())];
        Assert.Empty(decoded.Except(IsaDescription.Extensions(default)));
    }
}
