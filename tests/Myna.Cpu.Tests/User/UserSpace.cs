using Myna.Host;
using Myna.Host.User;
using Myna.Jit.Memory;
using Myna.Jit.User;

namespace Myna.Cpu.Tests.User;

/// <summary>Two pages of code and two of data in this process, as a user program's memory.</summary>
internal sealed class UserSpace : IGuestSpace, IDisposable
{
    private readonly NativeBlock _block = new(4 * 4096);

    public Lock Sync { get; } = new();
    public PageRights CodeRights { get; set; } = PageRights.Read | PageRights.Execute;
    public ulong Code => (ulong)_block.Address;
    public ulong Data => Code + 8192;

    public PageRights RightsAt(ulong va) => (va - Code) switch
    {
        < 8192 => CodeRights,
        < 16384 => PageRights.Read | PageRights.Write,
        _ => PageRights.None,
    };

    public bool IsMapped(ulong va) => va - Code < 16384;
    public bool IsShared(ulong va) => false;

    public void AddAliases(ulong page, List<ulong> aliases)
    {
    }

    public void Put(int offset, ReadOnlySpan<byte> bytes) => bytes.CopyTo(_block.Span<byte>(offset, bytes.Length));
    public ref ulong Word(int offset) => ref _block.At<ulong>(8192 + offset);

    public void Dispose()
    {
        SafeMemory.TryProtect(Code, 4 * 4096, read: true, write: true);
        _block.Dispose();
    }
}
