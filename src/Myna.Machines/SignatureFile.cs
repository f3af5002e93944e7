using System.Text;
using Myna.Hardware.Memory;

namespace Myna.Machines;

/// <summary>
/// Writes the memory between begin_signature and end_signature as architecture tests compare it (riscv-arch-test, RISCOF
/// plugin contract): one little-endian word a line, in hexadecimal.
/// </summary>
internal static class SignatureFile
{
    private const ulong MaximumLength = 64 << 20;

    /// <exception cref="MachineException">The symbols make no sense, or the file cannot be written.</exception>
    public static void Write(MachineOptions options, IReadOnlyDictionary<string, ulong> symbols, AddressSpace memory)
    {
        if (options.Signature is not { } path)
            return;
        if (!symbols.TryGetValue("begin_signature", out ulong begin) || !symbols.TryGetValue("end_signature", out ulong end))
            throw new MachineException($"--signature needs the symbols begin_signature and end_signature, which {options.Kernel} does not define");
        byte[] bytes = new byte[end >= begin && end - begin <= MaximumLength ? end - begin : 0];
        if (bytes.Length == 0 || !memory.Read(begin, bytes))
            throw new MachineException($"the signature 0x{begin:x}-0x{end:x} of {options.Kernel} is empty or not in RAM");
        var text = new StringBuilder();
        for (int at = 0; at < bytes.Length; at += options.SignatureGranularity)
        {
            for (int i = options.SignatureGranularity - 1; i >= 0; i--)
                text.Append((at + i < bytes.Length ? bytes[at + i] : 0).ToString("x2"));
            text.Append('\n');
        }
        try
        {
            File.WriteAllText(path, text.ToString());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MachineException($"cannot write the signature to {path}: {e.Message}", e);
        }
    }
}
