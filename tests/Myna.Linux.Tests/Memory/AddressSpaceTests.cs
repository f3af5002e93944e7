using Myna.Host;
using Myna.Jit.Memory;
using Myna.Linux.Memory;

namespace Myna.Linux.Tests.Memory;

/// <summary>Mappings are real, at addresses of this process that nothing else uses.</summary>
public sealed class AddressSpaceTests : IDisposable
{
    private const ulong Page = AddressSpace.PageSize;
    private const MapFlags Anonymous = MapFlags.Private | MapFlags.Anonymous;
    private const Protection ReadWrite = Protection.Read | Protection.Write;
    private static int s_count;

    private readonly AddressSpace _space = new(0x1000_0000_0000 + ((ulong)Interlocked.Increment(ref s_count) << 32));

    public void Dispose() => _space.Clear();

    private ulong Map(ulong length, Protection rights = ReadWrite)
    {
        long address = _space.Map(0, length, rights, Anonymous);
        Assert.True(address > 0, $"mmap gave {address}");
        return (ulong)address;
    }

    [Fact]
    public void A_mapping_reads_as_zero_and_keeps_what_is_written()
    {
        ulong at = Map(3 * Page);
        Assert.True(GuestMemory.TryRead(at + Page - 4, out ulong zero));
        Assert.Equal(0u, zero);
        Assert.True(GuestMemory.TryWrite(at + Page - 4, 0x1122334455667788));
        Assert.True(GuestMemory.TryRead(at + Page - 4, out ulong value));
        Assert.Equal(0x1122334455667788u, value);
    }

    [Fact]
    public void Writable_mappings_of_the_same_file_are_aliases_of_each_other()
    {
        using FileStream file = new(Path.GetTempFileName(), FileMode.Open, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
        file.SetLength(4 * (long)Page);
        int descriptor = (int)file.SafeFileHandle.DangerousGetHandle();
        ulong code = (ulong)_space.Map(0, 2 * Page, Protection.Read | Protection.Execute, MapFlags.Shared, descriptor, (long)Page);
        ulong data = (ulong)_space.Map(0, 4 * Page, ReadWrite, MapFlags.Shared, descriptor);
        Assert.Equal([data + 2 * Page], Aliases(code + Page));
        Assert.Empty(Aliases(data));
        _space.Protect(data, 2 * Page, Protection.Read);
        Assert.Empty(Aliases(code));
        Assert.Equal([data + 2 * Page], Aliases(code + Page));
        ulong moved = (ulong)_space.Remap(data + 2 * Page, Page, Page, RemapFlags.MayMove | RemapFlags.Fixed, data + 0x100 * Page);
        Assert.Equal([moved], Aliases(code + Page));
        Assert.Empty(Aliases(Map(Page)));

        List<ulong> Aliases(ulong page)
        {
            var found = new List<ulong>();
            _space.AddAliases(page, found);
            return found;
        }
    }

    [Fact]
    public void What_is_unmapped_faults()
    {
        ulong at = Map(3 * Page);
        Assert.Equal(0, _space.Unmap(at + Page, Page));
        Assert.True(GuestMemory.TryRead(at, out byte _));
        Assert.False(GuestMemory.TryRead(at + Page, out byte _));
        Assert.False(GuestMemory.TryRead(at + Page - 1, out ushort _));
        Assert.Equal(PageRights.None, _space.RightsAt(at + Page));
        Assert.Equal(2 * Page, _space.Size);
    }

    [Fact]
    public void Read_only_pages_cannot_be_written()
    {
        ulong at = Map(2 * Page);
        Assert.Equal(0, _space.Protect(at, Page, Protection.Read | Protection.Execute));
        Assert.False(GuestMemory.TryWrite(at, 1));
        Assert.True(GuestMemory.TryWrite(at + Page, 1));
        Assert.Equal(PageRights.Read | PageRights.Execute, _space.RightsAt(at));
    }

    [Fact]
    public void Executable_pages_are_not_executable_on_the_host()
    {
        ulong at = Map(Page, Protection.Read | Protection.Execute);
        string line = File.ReadLines("/proc/self/maps").Single(l => l.StartsWith($"{at:x}-", StringComparison.Ordinal));
        Assert.Equal("r--p", line.Split(' ')[1]);
    }

    [Fact]
    public void The_runtime_s_addresses_are_out_of_reach()
    {
        Assert.Equal(-Errno.ENOMEM, _space.Map(0x7f00_0000_0000, Page, ReadWrite, Anonymous | MapFlags.Fixed));
        Assert.Equal(-Errno.EINVAL, _space.Unmap(0x7f00_0000_0000, Page));
        Assert.Equal(-Errno.ENOMEM, _space.Protect(0x7f00_0000_0000, Page, Protection.None));
        Assert.Equal(-Errno.ENOMEM, _space.Remap(0x7f00_0000_0000, Page, 2 * Page, RemapFlags.MayMove, 0));
        ulong at = Map(Page);
        Assert.Equal(-Errno.EINVAL, _space.Remap(at, Page, Page, RemapFlags.MayMove | RemapFlags.Fixed, 0x7f00_0000_0000));
        Assert.True((ulong)_space.Map(0x7f00_0000_0000, Page, ReadWrite, Anonymous) < AddressSpace.Limit);
    }

    [Fact]
    public void Null_pointers_stay_invalid()
        => Assert.Equal(-Errno.EPERM, _space.Map(0, Page, ReadWrite, Anonymous | MapFlags.Fixed));

    [Fact]
    public void Fixed_no_replace_finds_what_is_there()
    {
        ulong at = Map(2 * Page);
        Assert.Equal(-Errno.EEXIST, _space.Map(at + Page, Page, ReadWrite, Anonymous | MapFlags.FixedNoReplace));
        Assert.Equal((long)at, _space.Map(at, Page, Protection.Read, Anonymous | MapFlags.Fixed));
    }

    [Fact]
    public void Absurd_lengths_are_refused()
    {
        Assert.Equal(-Errno.EINVAL, _space.Map(0, 0, ReadWrite, Anonymous));
        Assert.Equal(-Errno.ENOMEM, _space.Map(0, ulong.MaxValue - 100, ReadWrite, Anonymous));
        Assert.Equal(-Errno.EINVAL, _space.Unmap(Page, ulong.MaxValue));
        Assert.Equal(-Errno.ENOMEM, _space.Remap(Map(Page), Page, ulong.MaxValue - Page, RemapFlags.MayMove, 0));
    }

    [Fact]
    public void Remap_moves_when_it_cannot_grow_and_keeps_the_contents()
    {
        ulong low = Map(4 * Page);
        Assert.True(GuestMemory.TryWrite(low, 42));
        // The pages above belong to another region, of other rights.
        Assert.Equal(0, _space.Protect(low + Page, Page, Protection.Read));
        Assert.Equal(-Errno.ENOMEM, _space.Remap(low, Page, 8 * Page, RemapFlags.None, 0));
        long moved = _space.Remap(low, Page, 8 * Page, RemapFlags.MayMove, 0);
        Assert.True(moved > 0);
        Assert.True(GuestMemory.TryRead((ulong)moved, out int value));
        Assert.Equal(42, value);
        Assert.False(GuestMemory.TryRead(low, out int _));
        Assert.Equal(0, _space.Unmap((ulong)moved + Page, 7 * Page));
        Assert.Equal(moved, _space.Remap((ulong)moved, Page, 3 * Page, RemapFlags.None, 0));
        Assert.True(GuestMemory.TryWrite((ulong)moved + 2 * Page, 1));
    }

    [Fact]
    public void The_heap_grows_until_it_meets_a_mapping()
    {
        ulong at = Map(16 * Page);
        Assert.Equal(0, _space.Unmap(at, 8 * Page));
        _space.StartHeap(at + 100);
        ulong start = at + Page;
        Assert.Equal((long)start, _space.Break(0));
        Assert.Equal((long)(start + 5000), _space.Break(start + 5000));
        Assert.True(GuestMemory.TryWrite(start + 4999, (byte)1));
        Assert.Equal((long)(start + 5000), _space.Break(at + 9 * Page));
        Assert.Equal((long)start, _space.Break(start));
        Assert.False(GuestMemory.TryRead(start, out byte _));
    }

    [Fact]
    public void A_size_limit_holds()
    {
        _space.SizeLimit = 10 * Page;
        _ = Map(8 * Page);
        Assert.Equal(-Errno.ENOMEM, _space.Map(0, 4 * Page, ReadWrite, Anonymous));
        _ = Map(2 * Page);
    }
}
