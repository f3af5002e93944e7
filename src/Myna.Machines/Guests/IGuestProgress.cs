namespace Myna.Machines.Guests;

/// <summary>Hears what making a guest is busy with. Called on any thread, by one at a time.</summary>
public interface IGuestProgress
{
    /// <summary>A step begins.</summary>
    void Step(string what);

    /// <summary>Bytes fetched so far of the current step, and in all.</summary>
    void Bytes(long done, long total);
}
