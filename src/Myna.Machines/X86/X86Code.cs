using Iced.Intel;

namespace Myna.Machines.X86;

/// <summary>Machine code of the little that a machine brings itself.</summary>
internal static class X86Code
{
    /// <summary>The bytes of code that does not depend on where it lies.</summary>
    public static byte[] Assemble(Assembler code)
    {
        using var bytes = new MemoryStream();
        code.Assemble(new StreamCodeWriter(bytes), 0);
        return bytes.ToArray();
    }
}
