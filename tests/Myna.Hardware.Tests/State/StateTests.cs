using Myna.Hardware.State;

namespace Myna.Hardware.Tests.State;

internal enum Mode : byte { Idle, Busy }

internal readonly record struct Pair(int A, long B);

[Stateful("child")]
internal sealed partial class Child
{
    [Saved(1)] public uint Value;
    [NotSaved("derived by Sync")] public uint Doubled;
    public void Sync() => Doubled = Value * 2;
}

[Stateful("base-device")]
internal abstract partial class BaseDevice
{
    [Saved(1)] public byte Status;
    protected abstract void Sync();
}

[Stateful("device", 3)]
internal sealed partial class Device : BaseDevice
{
    [Saved(2)] public Mode Mode;
    [Saved(3)] public readonly ushort[] Fixed = new ushort[4];
    [Saved(4)] public byte[] Growing = [];
    [Saved(5)] public string? Text;
    [Saved(6)] public Pair Pair;
    [Saved(7)] public readonly Child Child = new();
    [Saved(8)] public readonly Child[] Children = [new(), new()];
    [field: Saved(9)] public bool Flag { get; set; }
    [NotSaved("counts loads for the test")] public int Syncs;
    protected override void Sync() => Syncs++;
}

public sealed class StateTests
{
    private static Device Filled() => new()
    {
        Status = 7, Mode = Mode.Busy, Growing = [1, 2, 3], Text = "naïve", Pair = new(5, -6), Flag = true,
        Fixed = { [0] = 10, [3] = 40 }, Child = { Value = 21 }, Children = { [1] = { Value = 9 } },
    };

    private static byte[] Save(IStateful item)
    {
        var writer = new StateWriter();
        writer.WriteSection(item);
        return writer.ToArray();
    }

    [Fact]
    public void Every_kind_of_field_survives_save_and_load_and_saves_the_same_again()
    {
        byte[] bytes = Save(Filled());
        var copy = new Device();
        new StateReader(bytes).ReadSection(copy);

        Assert.Equal(7, copy.Status);
        Assert.Equal(Mode.Busy, copy.Mode);
        Assert.Equal([10, 0, 0, 40], copy.Fixed);
        Assert.Equal([1, 2, 3], copy.Growing);
        Assert.Equal("naïve", copy.Text);
        Assert.Equal(new Pair(5, -6), copy.Pair);
        Assert.Equal(42u, copy.Child.Doubled);
        Assert.Equal(9u, copy.Children[1].Value);
        Assert.True(copy.Flag);
        Assert.Equal(1, copy.Syncs);
        Assert.Equal(bytes, Save(copy));
    }

    [Fact]
    public void Truncated_state_is_refused_at_every_length()
    {
        byte[] bytes = Save(Filled());
        for (int length = 0; length < bytes.Length; length++)
            Assert.Throws<StateException>(() => new StateReader(bytes.AsMemory(0, length)).ReadSection(new Device()));
    }

    [Fact]
    public void Damaged_state_never_escapes_as_another_exception()
    {
        byte[] bytes = Save(Filled());
        var random = new Random(1);
        for (int i = 0; i < 5_000; i++)
        {
            byte[] damaged = [.. bytes];
            for (int k = random.Next(1, 4); k > 0; k--)
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            try
            {
                new StateReader(damaged).ReadSection(new Device());
            }
            catch (StateException)
            {
            }
        }
    }

    [Fact]
    public void Another_kind_and_a_newer_version_are_refused_by_name()
    {
        Assert.Contains("child", Assert.Throws<StateException>(() => new StateReader(Save(Filled())).ReadSection(new Child())).Message, StringComparison.Ordinal);
        byte[] bytes = Save(Filled());
        bytes["device".Length + 1] = 4;
        Assert.Contains("version 4", Assert.Throws<StateException>(() => new StateReader(bytes).ReadSection(new Device())).Message, StringComparison.Ordinal);
    }
}
