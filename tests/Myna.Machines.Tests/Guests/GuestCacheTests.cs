using Myna.Machines.Guests;

namespace Myna.Machines.Tests.Guests;

public sealed class GuestCacheTests : IDisposable
{
    private static readonly GuestRecipe Recipe = GuestRecipe.For("riscv64");
    private readonly string _root = Directory.CreateTempSubdirectory("myna-test-").FullName;
    private readonly string _guest;

    public GuestCacheTests()
    {
        _guest = Path.Combine(_root, "guests", "riscv64-trixie", "1_2_r1");
        Directory.CreateDirectory(_guest);
        File.WriteAllText(Path.Combine(_guest, "kernel"), "kernel");
        File.WriteAllText(Path.Combine(_guest, "busybox"), "busybox");
        GuestFile[] files = [GuestFile.OfAsync(_guest, "kernel", default).Result, GuestFile.OfAsync(_guest, "busybox", default).Result];
        _ = GuestBuilder.WriteInitrdAsync(_guest, new("6.1", ["linux 1"], [], [], files), default).Result;
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private sealed class Steps : IGuestProgress
    {
        public List<string> Said { get; } = [];
        public void Step(string what) => Said.Add(what);
        public void Bytes(long done, long total) { }
    }

    [Fact]
    public async Task An_intact_guest_is_taken_as_it_is()
    {
        var steps = new Steps();
        Guest guest = await new GuestCache(_root).GetAsync(Recipe, "trixie", steps);
        Assert.Equal(_guest, guest.Directory);
        Assert.Equal("6.1", guest.Manifest.Release);
        Assert.True(File.Exists(guest.Initrd));
        Assert.Empty(steps.Said);
    }

    [Fact]
    public async Task A_damaged_initramfs_is_written_again_from_the_cached_parts()
    {
        string initrd = Path.Combine(_guest, GuestBuilder.InitrdFile);
        byte[] good = File.ReadAllBytes(initrd);
        File.WriteAllBytes(initrd, good[..100]);
        Guest guest = await new GuestCache(_root).GetAsync(Recipe, "trixie", new Steps());
        Assert.Equal(good, File.ReadAllBytes(guest.Initrd));
        Assert.Empty(await GuestCache.VerifyAsync(guest));
    }

    [Fact]
    public async Task The_initramfs_of_another_version_is_replaced()
    {
        string initrd = Path.Combine(_guest, GuestBuilder.InitrdFile), other = Path.Combine(_guest, "initrd-00000000.cpio");
        File.Move(initrd, other);
        Guest guest = await new GuestCache(_root).GetAsync(Recipe, "trixie", new Steps());
        Assert.True(File.Exists(guest.Initrd));
        Assert.False(File.Exists(other));
    }

    [Fact]
    public async Task A_touched_file_with_its_content_is_fine_and_a_changed_one_is_found()
    {
        Guest guest = new GuestCache(_root).List().Single();
        GuestFile kernel = guest.Manifest.Files.Single(f => f.Name == "kernel");
        File.SetLastWriteTimeUtc(guest.Kernel, DateTime.UtcNow.AddHours(1));
        Assert.True(await kernel.IsIntactAsync(_guest, thorough: false, default));
        File.WriteAllText(guest.Kernel, "kernEl");
        Assert.False(await kernel.IsIntactAsync(_guest, thorough: false, default));
        Assert.Equal(["kernel"], await GuestCache.VerifyAsync(guest));
    }

    [Theory]
    [InlineData("")]
    [InlineData("myna-guest 1\nrelease 6.1\n")]
    [InlineData("myna-guest 2\nrelease 6.1\nend\n")]
    [InlineData("myna-guest 1\nend\n")]
    [InlineData("myna-guest 1\nrelease 6.1\nfile abc x 1 kernel\nend\n")]
    public void A_damaged_manifest_is_no_guest(string text)
    {
        File.WriteAllText(Path.Combine(_guest, GuestManifest.FileName), text);
        Assert.Empty(new GuestCache(_root).List());
    }

    [Fact]
    public void Unknown_architectures_and_suites_are_named()
    {
        Assert.Contains("vax", Assert.Throws<GuestException>(() => GuestRecipe.For("vax")).Message, StringComparison.Ordinal);
        Assert.Contains("trixie or sid", Assert.Throws<GuestException>(() => Recipe.CheckSuite("woody")).Message, StringComparison.Ordinal);
    }
}
